/** Why an item could not be done, in the words that the server plans its next attempt with. */
import { WorkManagerConnectionError, WorkManagerError } from '../errors.ts'
import type { FailItemInput } from '../generated/client.ts'

export type FailureClass = FailItemInput['class']

export interface FailureDetails extends ErrorOptions {
  /** Short stable word for the kind of failure; kept on the record. */
  readonly code?: string
  /** Not before so many seconds does another attempt make sense. */
  readonly retryAfterSeconds?: number
  /** Whatever helps whoever looks at it; kept on the record. */
  readonly data?: Readonly<Record<string, unknown>>
}

abstract class ClassifiedError extends Error {
  abstract readonly failureClass: FailureClass
  readonly code: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly data: Readonly<Record<string, unknown>> | undefined
  constructor(message: string, { code, retryAfterSeconds, data, ...options }: FailureDetails = {}) {
    super(message, options)
    this.code = code
    this.retryAfterSeconds = retryAfterSeconds
    this.data = data
  }
}

/** The world was in the way (a timeout, a quota): the item is tried again later. */
export class TransientError extends ClassifiedError {
  override readonly name = 'TransientError'
  readonly failureClass = 'transient'
}

/** Nobody can do this item: it is set aside at once. */
export class PermanentError extends ClassifiedError {
  override readonly name = 'PermanentError'
  readonly failureClass = 'permanent'
}

/** This item must not be done: it is set aside at once. */
export class PolicyError extends ClassifiedError {
  override readonly name = 'PolicyError'
  readonly failureClass = 'policy'
}

export interface Failure {
  readonly class: FailureClass
  readonly error: { readonly code: string; readonly message: string; readonly [other: string]: unknown }
  readonly retryAfterSeconds: number | null
}

/** Class of whatever was thrown: as it says itself; transient when the server could not be reached; otherwise this agent could not. */
export function classify(thrown: unknown): Failure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const describe = (
    failure: FailureClass,
    code: string | undefined,
    rest: Omit<Failure, 'class' | 'error'>,
    data: object = {},
  ): Failure => ({
    class: failure,
    error: {
      ...data,
      code: storable(code ?? error.name, 120, 'error'),
      message: storable(error.message, 2000, 'The agent gave no message.'),
    },
    ...rest,
  })
  if (error instanceof ClassifiedError)
    return describe(error.failureClass, error.code, { retryAfterSeconds: error.retryAfterSeconds ?? null }, error.data)
  if (error instanceof WorkManagerConnectionError) return describe('transient', error.reason, { retryAfterSeconds: null })
  if (error instanceof WorkManagerError)
    return describe(
      error.retry === 'later' ? 'transient' : 'agent',
      error.code,
      { retryAfterSeconds: null },
      error.errors.length > 0 ? { details: error.errors } : {},
    )
  return describe('agent', undefined, { retryAfterSeconds: null })
}

/** Text that the server accepts: no U+0000, no halves of characters, not too long, not empty. */
function storable(text: string, most: number, otherwise: string): string {
  const clean = text.replaceAll('\0', '').slice(0, most).toWellFormed()
  return clean === '' ? otherwise : clean
}
