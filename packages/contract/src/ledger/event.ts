import Type from 'typebox'
import { anyJson, nullable, time, uuid } from '../kernel/shapes.ts'

export const EventShape = Type.Object(
  {
    id: uuid('Event id.'),
    seq: nullable(
      Type.Integer({ description: 'Gap-free number in the tenant’s ledger; null for the few milliseconds before it is sequenced.' }),
    ),
    order_id: nullable(uuid('')),
    item_id: nullable(uuid('')),
    event: Type.String({ description: 'The predecessor’s word for the fact, such as submitted.' }),
    kind: Type.String({ description: 'The full name, such as item.submitted.' }),
    actor_type: nullable(Type.Enum(['user', 'agent', 'system'])),
    actor_id: nullable(Type.String()),
    principal: nullable(Type.String({ description: 'The credential behind the actor.' })),
    request_id: nullable(Type.String()),
    trace_id: nullable(
      Type.String({ description: 'The trace that the fact belongs to: the caller’s own, or else the one of its order (docs/tracing.md).' }),
    ),
    provenance_id: nullable(uuid('See GET /provenance.')),
    payload: anyJson(''),
    diff: anyJson(''),
    message: nullable(Type.String()),
    created_at: time('The decision point: read from the database clock after the locks were held.'),
  },
  { title: 'Event' },
)
