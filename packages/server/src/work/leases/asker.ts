/** From the caller to the asker of lease verbs, and to what it claims to hold. */
import { actorOf } from '../../kernel/operations/actor.ts'
import type { OperationContext } from '../../kernel/operations/operation.ts'
import { traceparentOf } from '../../kernel/operations/traces.ts'
import type { Asker } from '../hot-path/requests.ts'
import type { LeaseClaim } from './decide.ts'

/** `traceparent` is null where the trace comes to light in the statement itself (checkout): there, only what the caller sent is known. */
export function askerOf(context: OperationContext, traceparent: string | null = traceparentOf(context)): Asker {
  return {
    ...actorOf(context, traceparent),
    tenantId: context.principal.tenantId,
    agentId: context.provenance.agentId,
    trace: context.trace,
  }
}

/** What the caller says it holds: the token, under its own name. */
export const claimOf = (context: OperationContext, token: string | undefined): LeaseClaim => ({
  token: token ?? null,
  agentId: context.provenance.agentId,
  principal: context.principal.name,
})
