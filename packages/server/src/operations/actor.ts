/** From the caller to the actor of facts and to the asker of lease verbs. */
import type { Actor } from '../store/events.ts'
import type { Asker } from '../hot-path/requests.ts'
import type { LeaseClaim } from '../domain/leases.ts'
import { traceIdOf } from '../tracing/traceparent.ts'
import type { OperationContext } from './operation.ts'
import { traceparentOf } from './traces.ts'

/** Agents and services act as the agent id; people act as themselves, whatever agent id they name. */
export function actorOf(context: OperationContext, traceparent: string | null = traceparentOf(context)): Actor {
  const { principal, provenance } = context
  const person = principal.kind === 'person'
  return {
    actorType: person ? 'user' : principal.kind === 'system' ? 'system' : 'agent',
    actorId: person ? principal.id : provenance.agentId,
    principal: principal.name,
    requestId: context.requestId,
    provenanceId: provenance.id,
    traceId: traceIdOf(traceparent),
  }
}

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
