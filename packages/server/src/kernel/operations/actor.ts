/** From the caller to the actor of events. */
import type { Actor } from '../store/events.ts'
import { traceIdOf } from '../../tracing/traceparent.ts'
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
    correlationId: context.correlationId,
    sessionKey: context.sessionKey,
  }
}
