/** @work-manager/sdk: the typed client and the agent loop. Runs where fetch, AbortSignal and crypto.randomUUID are: Node, Deno, Bun, browsers. */
export { createClient, type AgentIdentity, type ClientOptions, type WorkManagerClient } from './client.ts'
export type { Answer, CallOptions, KeyedCallOptions, RetryPolicy } from './call-options.ts'
export {
  isLeaseLost,
  isWorkError,
  WorkManagerConnectionError,
  WorkManagerError,
  type FieldError,
  type ForeignAnswer,
  type RetryAdvice,
} from './errors.ts'
export { runAgent, type AgentOptions } from './agent/run-agent.ts'
export type { AgentEvent, AgentTotals } from './agent/events.ts'
export type {
  Finalize,
  Handler,
  HandlerContext,
  Outcome,
  Part,
  PartOptions,
  RefusedContext,
  RefusedHandler,
  Result,
  WorkItem,
} from './agent/handler.ts'
export { PermanentError, PolicyError, TransientError, type FailureClass, type FailureDetails } from './agent/failures.ts'
export { LeaseLostError } from './agent/lease-keeper.ts'
export type { InputOf, OperationName, OutputOf } from './operation-types.ts'
export type * from './generated/client.ts'
