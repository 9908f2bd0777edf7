/** What the author of an agent writes: a handler, and what it may give back. */
import type { FieldError, WorkManagerError } from '../errors.ts'
import type { LeasedItem, SubmitItemInput, SubmitPartInput, SubmitPartOutput } from '../generated/client.ts'

/** The item as it was checked out. After a refused hand-in, `last_error` says why. */
export interface WorkItem<Input = unknown> extends Omit<LeasedItem, 'input'> {
  readonly input: Input
}

export interface PartOptions {
  /** Position of a piece, where one part comes in several. */
  readonly seq?: number
  readonly evidence?: SubmitPartInput['evidence']
  readonly notes?: string
}

export interface HandlerContext<Input = unknown> {
  readonly item: WorkItem<Input>
  /** Aborted at once when the lease is lost, and when the agent must stop and its time is over. Pass it on to whatever you call. */
  readonly signal: AbortSignal
  /** Extends the lease now. Not needed: heartbeats are sent in the background. Resolves with the new end of the lease. */
  heartbeat(): Promise<string>
  /** Hands in one part at once; rejects with `verification_failed` when the server refuses it. */
  part(key: string, payload: object, options?: PartOptions): Promise<SubmitPartOutput>
  /** Reports progress as a `log` event. */
  log(message: string, data?: unknown): void
}

/** The whole result. */
export interface Result {
  readonly result: object
  readonly evidence?: SubmitItemInput['evidence']
  readonly notes?: string
}

/** All parts were handed in: put them together. `best_effort` does without the required ones that are missing. */
export interface Finalize {
  readonly finalize: 'strict' | 'best_effort'
  readonly notes?: string
}

export interface Part extends PartOptions {
  readonly key: string
  readonly payload: object
}

/**
 * What a handler gives back: a result; an iterable of parts, handed in one by one and put together at the end (a refused part is thrown
 * into the generator at its `yield`); or nothing, after it handed in parts with `part`.
 */
export type Outcome = Result | Finalize | AsyncIterable<Part, Finalize | void>

export type Handler<Input = unknown> = (context: HandlerContext<Input>) => Outcome | void | Promise<Outcome | void>

/** The server did not accept what was handed in; the lease is still held. */
export interface RefusedContext<Input = unknown> extends HandlerContext<Input> {
  readonly findings: readonly FieldError[]
  readonly refusal: WorkManagerError
  /** What was refused; undefined where a part was. */
  readonly refused: Outcome | undefined
  /** From 1. */
  readonly correction: number
}

/** Corrects what was refused. Nothing means that it cannot. */
export type RefusedHandler<Input = unknown> = (context: RefusedContext<Input>) => Outcome | void | Promise<Outcome | void>
