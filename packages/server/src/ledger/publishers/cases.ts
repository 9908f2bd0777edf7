import { defineCases, type Side } from '../../../testing/cases.ts'
import { applyShown } from '../../../testing/work-calls.ts'

/** Published to the file, then as if the receiver had refused these events: a file refuses none. */
async function published(side: Side, refused: readonly number[] = []): Promise<void> {
  await applyShown(side)
  await side.server.run('publisher-file')
  await side.server.database.sql(
    `insert into wm.parked_messages (tenant_id, publisher, seq, state, event_id, order_id, kind, reason, tries, first_refused_at, last_refused_at)
     select e.tenant_id, 'file', e.seq, 'parked', e.id, e.order_id, e.kind, 'too large for the stream', 5, now(), now()
       from record e where e.seq = any ($1) and e.tenant_id = (select id from wm.tenants where slug = $2)
     on conflict (tenant_id, publisher, seq) do update set state = 'parked'`,
    [refused, side.tenant],
  )
}

export const cases = defineCases({
  list_publishers: {
    async sample(side) {
      await published(side)
      return {}
    },
  },
  move_publisher_cursor: {
    async sample(side) {
      await published(side)
      return { publisher: 'file', seq: 0, reason: 'The consumer lost its copy.' }
    },
  },
  list_parked_messages: {
    async pages({ server, tenant }) {
      await server.database.sql(
        `insert into wm.parked_messages (tenant_id, publisher, seq, state, event_id, kind, reason, tries, first_refused_at, last_refused_at)
         select id, 'file', n, 'parked', gen_random_uuid(), 'order.stale', 'too large', 1, now(), now()
           from wm.tenants, generate_series(1, 2) n where slug = $1`,
        [tenant],
      )
      return {}
    },
    async sample(side) {
      await published(side, [1, 2])
      return { publisher: 'file' }
    },
  },
  retry_parked_messages: {
    async sample(side) {
      await published(side, [1])
      return { publisher: 'file', seq: 1, reason: 'The limit is raised.' }
    },
  },
  discard_parked_message: {
    async sample(side) {
      await published(side, [2])
      return { publisher: 'file', seq: 2, reason: 'Nobody needs it.' }
    },
  },
})
