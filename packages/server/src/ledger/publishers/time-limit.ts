/** The limit of a call to a receiver, in the words of publishers. */
import { TookTooLong, within } from '../../kernel/time-limit.ts'
import { PublishError } from './publisher.ts'

/** The work's value, or a PublishError once `ms` are over or `signal` aborts; the work itself goes on unheard. */
export async function withinLimit<T>(work: Promise<T>, ms: number, what: string, signal?: AbortSignal): Promise<T> {
  try {
    return await within(what, ms, () => work, signal)
  } catch (error) {
    if (error instanceof TookTooLong) throw new PublishError('unreachable', `${what} did not answer within ${ms} ms`)
    if (signal?.aborted && error === signal.reason) throw new PublishError('failed', 'the server is shutting down')
    throw error
  }
}
