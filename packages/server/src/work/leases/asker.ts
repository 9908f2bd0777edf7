/** From the caller to the asker of lease verbs, and to what it claims to hold. */
import { actorOf } from '../../kernel/operations/actor.ts'
import type { OperationContext } from '../../kernel/operations/operation.ts'
import { traceparentOf } from '../../kernel/operations/traces.ts'
import type { Asker } from '../hot-path/requests.ts'
import type { LeaseClaim } from './decide.ts'

/** `traceparent` is null where the trace comes to light in the statement itself (checkout): there, only what the caller sent is known. */
export function askerOf(context: OperationContext, traceparent: string | null = traceparentOf(context)): Asker {
  const actor = actorOf(context, traceparent)
  return {
    tenantId: context.principal.tenantId,
    principal: actor.principal,
    agentId: context.provenance.agentId,
    actorType: actor.actorType === 'user' ? 'user' : 'agent',
    actorId: actor.actorId ?? context.provenance.agentId,
    requestId: context.requestId,
    provenanceId: context.provenance.id,
    traceId: actor.traceId,
    trace: context.trace,
  }
}

export const claimOf = (context: OperationContext, token: string | undefined): LeaseClaim => ({
  token: token ?? null,
  agentId: context.provenance.agentId,
  principal: context.principal.name,
})
