/** A limit for code that is not ours: the wait ends even when the code ignores its signal, so one hanging call never stops a service. */

export class TookTooLong extends Error {
  constructor(what: string, limitMs: number) {
    super(`${what} took longer than ${limitMs} ms`)
    this.name = 'TookTooLong'
  }
}

/** Refuses with: TookTooLong, the reason of `abort` once it is aborted, and whatever `run` throws. */
export async function within<T>(
  what: string,
  limitMs: number,
  run: (signal: AbortSignal) => T | Promise<T>,
  abort?: AbortSignal,
): Promise<T> {
  abort?.throwIfAborted()
  const limit = new AbortController()
  let giveUp: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<never>((_, fail) => {
    giveUp = () => {
      fail(abort!.reason as Error)
      limit.abort(abort!.reason)
    }
    abort?.addEventListener('abort', giveUp, { once: true })
    timer = setTimeout(() => {
      const error = new TookTooLong(what, limitMs)
      fail(error)
      limit.abort(error)
    }, limitMs)
  })
  try {
    return await Promise.race([run(limit.signal), expiry])
  } finally {
    clearTimeout(timer)
    if (giveUp) abort?.removeEventListener('abort', giveUp)
  }
}
