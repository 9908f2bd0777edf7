import pg from 'pg'
import { type Contender, takeTurns, workFor } from '../contenders.ts'
import { fillQueue, openHeartbeater, openReader } from '../http-client.ts'
import { cycler } from '../lease-cycles.ts'
import { withClients } from '../measure.ts'
import type { ServerHandle } from '../server-handle.ts'
import type { Bench, Row, Scenario } from '../suite.ts'

const clients = 32
const pageClients = 8
const heldSeconds = 60
const scenario = 'held-snapshot'

type When = 'normal' | 'held'
const says: Record<When, string> = { normal: 'nothing held', held: 'beside a transaction that is idle' }

/** What is measured before and meanwhile, in the same order. */
async function measureAll(bench: Bench, server: ServerHandle, when: When): Promise<Row[]> {
  const spenders = await bench.spendersOf(server)
  const steady = (series: string, unit: string, what: string, open: Contender['open']): Contender => ({
    scenario,
    series: `${series} ${when}`,
    what: `${what}, ${says[when]}`,
    unit,
    engine: server,
    spenders,
    open,
    fill: async () => {},
  })
  const [count] = bench.clientCounts([clients])
  const [pages] = bench.clientCounts([pageClients])
  await fillQueue(server, count!)
  return [
    ...(await takeTurns(
      bench,
      [await cycler(bench, server, { scenario, series: `cycle ${when}`, what: `lease cycles, ${says[when]}` })],
      count!,
      1,
    )),
    ...(await takeTurns(
      bench,
      [steady('heartbeat', 'heartbeat', 'heartbeats', (n) => server.agents.slice(0, n).map(({ key }) => openHeartbeater(server, key)))],
      count!,
      1,
    )),
    ...(await takeTurns(
      bench,
      [
        steady('page', 'query', 'newest events', (n) =>
          Array.from({ length: n }, () => openReader(server, () => '/api/work/events?limit=50')),
        ),
        steady('list', 'query', 'queued orders', (n) =>
          Array.from({ length: n }, () => openReader(server, () => '/api/work/orders?filter[state]=queued&page[size]=25&include=')),
        ),
      ],
      pages!,
      1,
    )),
  ]
}

export const heldSnapshot: Scenario = {
  name: scenario,
  about:
    'The same before and after a minute of lease cycles during which one transaction sits idle with a snapshot, so that nothing that became old may be cleaned away.',
  async run(bench) {
    const server = await bench.server()
    const normal = await measureAll(bench, server, 'normal')
    const holder = new pg.Client({ connectionString: server.spec.database.adminUrl, application_name: 'work-manager bench holder' })
    await holder.connect()
    try {
      await holder.query('begin isolation level repeatable read')
      await holder.query('select count(*) from wm.tenants')
      const load = await cycler(bench, server, { scenario, series: 'load', what: 'load' })
      await withClients(load.open(bench.clientCounts([clients])[0]!), (opened) =>
        workFor({ contender: load, clients: opened, left: 0, perSecond: 0 }, (bench.options.seconds / 5) * heldSeconds),
      )
      await load.close?.()
      return [...normal, ...(await measureAll(bench, server, 'held'))]
    } finally {
      await holder.end()
    }
  },
}
