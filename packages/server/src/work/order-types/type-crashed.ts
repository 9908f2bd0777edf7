/** User code of an order type that threw, ran out of time, or answered with something that it must not. */
import { WorkError } from '@work-manager/contract'

/**
 * Not the caller's fault: operations log it with its cause and answer `internal` (or `plan_failed`, `apply_failed`). `member` is the
 * check or hook, such as `verify.hash_matches`.
 */
export class TypeCrashed extends Error {
  readonly type: string
  readonly member: string
  readonly timedOut: boolean
  constructor(type: string, member: string, problem: string, options?: ErrorOptions & { timedOut?: boolean }) {
    super(`Order type '${type}': ${member} ${problem}`, options)
    this.name = 'TypeCrashed'
    this.type = type
    this.member = member
    this.timedOut = options?.timedOut ?? false
  }
}

/** What callers hear of it where the caller's own input is not what broke it: which part of which type, and nothing of its text. */
export const brokeType = (error: TypeCrashed, nothingDone: string): WorkError =>
  new WorkError(
    'order_type_broke',
    {
      detail: `${error.member} of the order type '${error.type}' ${error.timedOut ? 'took too long' : 'broke'}; ${nothingDone}.`,
      retryAfterSeconds: 30,
    },
    { cause: error },
  )

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Runs pure user code; a throw becomes TypeCrashed with the name of what crashed. */
export function guarded<T>(type: string, member: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    throw cause instanceof TypeCrashed ? cause : new TypeCrashed(type, member, `threw: ${reason(cause)}`, { cause })
  }
}

/** Runs asynchronous user code with a time limit and a signal. The limit holds even when the code ignores its signal. */
export async function guardedWithin<T>(
  type: string,
  member: string,
  limitMs: number,
  outer: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController()
  const signal = outer ? AbortSignal.any([outer, limit.signal]) : limit.signal
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<never>((_, fail) => {
    timer = setTimeout(() => {
      const error = new TypeCrashed(type, member, `took longer than ${limitMs} ms`, { timedOut: true })
      fail(error)
      limit.abort(error)
    }, limitMs)
  })
  try {
    return await Promise.race([run(signal), expiry])
  } catch (cause) {
    throw cause instanceof TypeCrashed ? cause : new TypeCrashed(type, member, `threw: ${reason(cause)}`, { cause })
  } finally {
    clearTimeout(timer)
  }
}
