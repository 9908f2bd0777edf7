import { defineCases, done } from '../../../testing/cases.ts'
import { applyShown, submit } from '../../../testing/work-calls.ts'

export const cases = defineCases({
  list_records: {
    // So that records, effects and a ledger are there to leak.
    async call(side) {
      const { order } = await submit(side)
      done(await side.person.post(`/orders/${order}/approve`))
      for (const service of ['applier', 'effect-runner', 'sequencer']) await side.server.run(service)
      return { collection: 'echo' }
    },
    async pages({ server, tenant }) {
      await server.database.sql(
        `insert into wm.records
         select id, 'cursors', k, '1', gen_random_uuid(), now() from wm.tenants, unnest(array['a', 'b']) k where slug = $1`,
        [tenant],
      )
      return { collection: 'cursors' }
    },
    async sample(side) {
      await applyShown(side)
      return { collection: 'echoes', limit: 1 }
    },
  },
})
