import Type from 'typebox'
import { anyJson, nullable, time, uuid } from '../kernel/shapes.ts'

export const EventShape = Type.Object(
  {
    id: uuid('Event id.'),
    seq: Type.Integer({ description: 'Gap-free number in the tenant’s record: the order in which it reads.' }),
    order_id: nullable(uuid('The order that it belongs to.')),
    item_id: nullable(uuid('The item that it is about.')),
    subject_type: Type.String({ description: 'What it is about: the first word of `kind`.' }),
    subject_id: nullable(uuid('Which one.')),
    root_id: nullable(uuid('What is kept in order: the order of an item or an effect, else the subject itself.')),
    label: nullable(
      Type.String({ description: 'What stands for the subject in metrics and lists: order type, publisher, what is paused.' }),
    ),
    event: Type.String({ description: 'The predecessor’s word for the event, such as submitted.' }),
    kind: Type.String({ description: 'The full name, such as item.submitted.' }),
    priority: Type.Integer({ minimum: 0, maximum: 3, description: '0: decisions and applied changes … 3: chatter.' }),
    actor_type: nullable(Type.Enum(['user', 'agent', 'system'])),
    actor_id: nullable(Type.String()),
    principal: nullable(Type.String({ description: 'The credential behind the actor.' })),
    request_id: nullable(Type.String()),
    trace_id: nullable(
      Type.String({
        description: 'The trace that the event belongs to: the caller’s own, or else the one of its order (docs/tracing.md).',
      }),
    ),
    provenance_id: nullable(uuid('See GET /provenance.')),
    correlation_id: nullable(Type.String({ description: 'X-Correlation-ID of the call that began the story.' })),
    causation_id: nullable(uuid('The event that caused it, where that is known.')),
    session_key: nullable(Type.String({ description: 'X-Session-Key of the call that began the story.' })),
    payload: anyJson(''),
    diff: anyJson(''),
    message: nullable(Type.String()),
    created_at: time('The decision point: read from the database clock after the locks were held.'),
  },
  { title: 'Event' },
)
