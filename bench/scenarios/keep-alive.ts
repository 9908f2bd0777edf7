import { withAdmin } from '../database.ts'
import { fillTo, workFor } from '../contenders.ts'
import { openLeaseCycler } from '../http-client.ts'
import { cycler, megabytes } from '../lease-cycles.ts'
import { withClients } from '../measure.ts'
import type { Scenario } from '../suite.ts'

/** Acknowledged hand-ins that the database does not hold exactly once. */
const lostSql = `
  select count(*)::int as n from unnest($1::uuid[]) as a(id)
    left join wm.items i on i.id = a.id
   where i.state is distinct from 'submitted'
      or (select count(*) from wm.submissions s where s.tenant_id = i.tenant_id and s.item_id = i.id) <> 1`

/** Items whose state does not fit what else is known of them; legal moves are the guard's business, this is what they must add up to. */
const illegalSql = `
  select count(*)::int as n from wm.items i
   where wm.item_is_held(i.state) <> (i.lease_token is not null)
      or wm.item_is_handed_in(i.state)
         <> exists (select 1 from wm.submissions s where s.tenant_id = i.tenant_id and s.item_id = i.id)`

export const keepAlive: Scenario = {
  name: 'keep-alive',
  about:
    'A thousand keep-alive clients, an agent each, for a minute; afterwards the database is asked for everything that was acknowledged.',
  async run(bench) {
    const { quick } = bench.options
    const clients = quick ? 20 : 1000
    // A minute, when a measurement takes five seconds.
    const seconds = quick ? bench.options.seconds : bench.options.seconds * 12
    const server = await bench.server({ keys: clients })
    const acknowledged: string[] = []
    const contender = await cycler(bench, server, { scenario: 'keep-alive', series: 'keep-alive', what: 'HTTP, keep-alive' })
    return withClients(
      server.agents.slice(0, clients).map(({ key }) => openLeaseCycler(server, key, (itemId) => acknowledged.push(itemId))),
      async (opened) => {
        const entrant = { contender, clients: opened, left: 0, perSecond: 0 }
        await workFor(entrant, bench.warmUpFor(server, 'cycle'))
        const most = Math.ceil(entrant.perSecond * seconds * 1.5)
        await fillTo(entrant, most)
        const measured = await bench.measure(opened, { seconds, most }, await bench.spendersOf(server))
        const { rssBytes } = await server.usage()
        const { lost, illegal } = await withAdmin(server.spec.database.adminUrl, async (client) => ({
          lost: (await client.query<{ n: number }>(lostSql, [acknowledged])).rows[0]!.n,
          illegal: (await client.query<{ n: number }>(illegalSql)).rows[0]!.n,
        }))
        return [
          {
            ...measured,
            scenario: 'keep-alive',
            series: 'keep-alive',
            what: 'HTTP, keep-alive',
            unit: 'cycle',
            notes: {
              'server RSS': megabytes(rssBytes),
              seconds: measured.seconds.toFixed(0),
              acknowledged: acknowledged.length.toLocaleString('en'),
              lost: String(lost),
              'illegal states': String(illegal),
            },
            figures: { lost, illegal, rssBytes },
          },
        ]
      },
    )
  },
}
