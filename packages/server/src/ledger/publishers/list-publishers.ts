import Type from 'typebox'
import { type PublisherView, viewPublishers } from './admin.store.ts'
import { defineOperation } from '../tools.ts'

const count = (description: string) => Type.Integer({ minimum: 0, description })
const maybe = (description: string, format?: string) =>
  Type.Union([Type.Null(), Type.String({ ...(format === undefined ? {} : { format }) })], { description })

const states = ['off', 'failing', 'retrying', 'behind', 'current'] as const

function stateOf(view: PublisherView, isUsed: boolean): (typeof states)[number] {
  if (!isUsed) return 'off'
  if (view.connected === false) return 'failing'
  if (view.trying > 0) return 'retrying'
  return view.lag_facts > 0 ? 'behind' : 'current'
}

export const listPublishers = defineOperation({
  name: 'list_publishers',
  summary: 'How far each publisher is in the record of the tenant, what holds it up, and what its receiver refused.',
  http: { method: 'GET', path: '/publishers', success: 200 },
  ability: 'admin:publishers',
  idempotency: 'none',
  refuses: [],
  command: { words: 'publishers list' },
  tool: 'for operators',
  input: Type.Object({}),
  output: Type.Object({
    publishers: Type.Array(
      Type.Object(
        {
          publisher: Type.String(),
          state: Type.Enum([...states], {
            description:
              'off: has a cursor, but is not in use. failing: its receiver does not take messages. retrying: the receiver refused a message, which is tried again. behind: events wait. current: nothing waits.',
          }),
          seq: count('Everything up to here is published, passed over or parked.'),
          head: count('The newest event.'),
          lag_facts: count('Events that wait.'),
          lag_seconds: Type.Number({ minimum: 0, description: 'How long the oldest of them waits.' }),
          parked: count('Messages set aside because the receiver refuses them.'),
          trying: count('Messages that the receiver refused and that are tried again.'),
          error: maybe('Why it fails now.'),
          last_error: maybe('The last thing that went wrong with a message of this tenant.'),
          last_error_at: maybe('When.', 'date-time'),
          last_published_at: maybe('When something was last published.', 'date-time'),
        },
        { title: 'Publisher' },
      ),
    ),
  }),
  async handler(context) {
    const used = context.tools.settings.publishers
    const views = await context.read((q) => viewPublishers(q, used))
    const publishers = views.map((view) => {
      const { connected: _, connection_error: error, ...shown } = view
      return { ...shown, state: stateOf(view, used.includes(view.publisher)), error }
    })
    return { status: 200, body: { publishers } }
  },
})
