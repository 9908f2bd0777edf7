/** What the primary and its workers say to each other over the channel that Node opens between them. */
import type { Config } from '../../config/index.ts'
import type { Siblings } from '../../main.ts'

export type Storage = ReturnType<Siblings['storage']>

export interface ToWorker {
  /** The answer to `hello`: how to serve. `plainLogLevel` is set when people watch; null is the JSON log. */
  readonly serve?: { readonly config: Config; readonly plainLogLevel: string | null; readonly storage: Storage }
  readonly storage?: Storage
  /** Topics of the other workers. */
  readonly wake?: readonly string[]
  /** Finish what runs, then end. */
  readonly stop?: true
}

export interface ToPrimary {
  readonly hello?: true
  readonly ready?: { readonly url: string }
  /** It could not start; the exit follows. */
  readonly failed?: { readonly message: string; readonly code: string | null }
  readonly wake?: readonly string[]
}

/** Other messages travel on the same channel (Node's own, the metrics library's): ours are under one key. */
export interface Envelope<T> {
  readonly workManager?: T
}
