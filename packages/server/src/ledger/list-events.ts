import { eventSpecs } from '@work-manager/contract'
import Type from 'typebox'
import { decodeCursor, sealOf, positionPattern } from '../kernel/operations/cursor.ts'
import { cursor, limit } from '../kernel/operations/inputs.ts'
import { listEvents as findEvents } from '../kernel/store/events.ts'
import { eventPage, eventsOutput } from './event-page.ts'
import { text } from './inputs.ts'
import { defineOperation } from './tools.ts'

export const listEvents = defineOperation({
  name: 'list_events',
  summary: 'Search the record by agent, model, address, request, principal or kind; newest first.',
  http: { method: 'GET', path: '/events', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['cursor_invalid', 'cursor_expired', 'record_behind'],
  command: { words: 'events' },
  tool: 'for auditors and programs; agents read work_logs',
  input: Type.Object({
    kind: Type.Optional(Type.Enum(Object.keys(eventSpecs), { description: 'Such as item.submitted.' })),
    principal: text('The credential, such as agent:auditor-1.'),
    agent_id: text('Agent id of the caller.'),
    model_name: text('X-Model-Name of the caller.'),
    ip: text('Address of the caller (as stored).'),
    request_id: text('X-Request-ID.'),
    correlation_id: text('X-Correlation-ID of the call that proposed it: the whole story.'),
    limit,
    cursor,
  }),
  output: eventsOutput,
  handler(context, input) {
    const seal = sealOf(context)
    const size = input.limit ?? 50
    const before = input.cursor ? decodeCursor(seal, 'record', input.cursor, [positionPattern])[0] : undefined
    const filter = {
      ...(input.kind && { kind: input.kind }),
      ...(input.principal && { principal: input.principal }),
      ...(input.agent_id && { agentId: input.agent_id }),
      ...(input.model_name && { modelName: input.model_name }),
      ...(input.ip && { ip: input.ip }),
      ...(input.request_id && { requestId: input.request_id }),
      ...(input.correlation_id && { correlationId: input.correlation_id }),
    }
    return context.readRecord((q) => eventPage(q, { seal, list: 'record', size }, (within) => findEvents(within, filter, size + 1, before)))
  },
})
