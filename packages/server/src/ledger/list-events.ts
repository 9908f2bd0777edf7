import { eventSpecs } from '@work-manager/contract'
import Type from 'typebox'
import { listEvents } from '../kernel/store/events.ts'
import { renderProvenance } from '../kernel/store/provenance.ts'
import { decodeCursor, positionPattern } from '../kernel/operations/cursor.ts'
import { cursor, limit } from '../kernel/operations/inputs.ts'
import { defineOperation } from './tools.ts'
import { eventPage, eventsOutput } from './event-page.ts'

const text = (description: string) => Type.Optional(Type.String({ maxLength: 255, description }))

/** Refuses with: cursor_invalid. */
export const listEventsOperation = defineOperation({
  name: 'list_events',
  summary: 'Search the record by agent, model, address, request, principal or kind; newest first.',
  http: { method: 'GET', path: '/events', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  input: Type.Object({
    kind: Type.Optional(Type.Enum(Object.keys(eventSpecs), { description: 'Such as item.submitted.' })),
    principal: text('The credential, such as agent:auditor-1.'),
    agent_id: text('Agent id of the caller.'),
    model_name: text('X-Model-Name of the caller.'),
    ip: text('Address of the caller (as stored).'),
    request_id: text('X-Request-ID.'),
    limit,
    cursor,
  }),
  output: eventsOutput,
  handler(context, input) {
    const { tenantId } = context.principal
    const size = input.limit ?? 50
    const before = input.cursor ? decodeCursor(tenantId, 'events', input.cursor, [positionPattern])[0] : undefined
    const filter = {
      ...(input.kind && { kind: input.kind }),
      ...(input.principal && { principal: input.principal }),
      ...(input.agent_id && { agentId: input.agent_id }),
      ...(input.model_name && { modelName: input.model_name }),
      ...(input.ip && { ip: input.ip }),
      ...(input.request_id && { requestId: input.request_id }),
    }
    return context.read(async (q) => eventPage(tenantId, 'events', await listEvents(q, filter, size + 1, before), size))
  },
})

export const listProvenance = defineOperation({
  name: 'list_provenance',
  summary: 'List where calls came from: agents, models, runtimes, addresses.',
  http: { method: 'GET', path: '/provenance', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  input: Type.Object({
    id: Type.Optional(Type.String({ format: 'uuid' })),
    agent_id: text('Agent id.'),
    model_name: text('Model.'),
    ip: text('Address.'),
    limit,
  }),
  output: Type.Object({ provenance: Type.Array(Type.Unknown()) }),
  handler: (context, input) =>
    context.read(async (q) => {
      const rows = await renderProvenance(
        q,
        { id: input.id, agentId: input.agent_id, modelName: input.model_name, ip: input.ip },
        input.limit ?? 50,
      )
      return { status: 200, json: `{"provenance":[${rows.join(',')}]}` }
    }),
})
