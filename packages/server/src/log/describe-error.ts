/** What a log may say of an error: name, text, stack, code and causes. No other members: errors of drivers carry parameters and rows. */
export interface ErrorDescription {
  readonly type: string
  readonly message: string
  readonly stack?: string
  readonly code?: string
  readonly cause?: ErrorDescription
  readonly errors?: readonly ErrorDescription[]
}

const deepest = 5
const mostErrors = 5

export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) }
  const { code } = error as { code?: unknown }
  const inner = depth < deepest
  return {
    type: error.name,
    message: error.message,
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
    ...(inner && error.cause !== undefined ? { cause: describeError(error.cause, depth + 1) } : {}),
    ...(inner && error instanceof AggregateError
      ? { errors: error.errors.slice(0, mostErrors).map((each: unknown) => describeError(each, depth + 1)) }
      : {}),
  }
}
