import { PublishError } from './publisher.ts'

/** The work's value, or a PublishError once `ms` are over or `signal` aborts; the work itself goes on unheard. */
export function withinLimit<T>(work: Promise<T>, ms: number, what: string, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new PublishError('unreachable', `${what} did not answer within ${ms} ms`)), ms)
    const abort = () => reject(new PublishError('failed', 'the server is shutting down'))
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    })
  })
}
