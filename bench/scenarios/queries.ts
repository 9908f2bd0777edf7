import { agentsOfHistory, type EventHistory, makeEventHistory } from '../event-history.ts'
import { openReader } from '../http-client.ts'
import { measure, withClients } from '../measure.ts'
import { planOf } from '../slow-plan.ts'
import type { Row, Scenario } from '../suite.ts'

const one = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!

/** What is read, by name; each request reads something else of the same kind. */
const queriesOf = ({ orderIds, itemIds }: EventHistory): Record<string, () => string> => ({
  'newest events': () => '/api/work/events?limit=50',
  'timeline of an item': () => `/api/work/items/${one(itemIds)}/logs?limit=50`,
  'timeline of an order': () => `/api/work/orders/${one(orderIds)}/logs?limit=50`,
  'events by agent': () => `/api/work/events?agent_id=history-${1 + Math.floor(Math.random() * agentsOfHistory)}&limit=50`,
  'events of a kind': () => '/api/work/events?kind=item.rejected&limit=50',
  'events of a rare kind': () => '/api/work/events?kind=key.created&limit=50',
  'events by principal': () => `/api/work/events?principal=agent:history-${1 + Math.floor(Math.random() * agentsOfHistory)}&limit=50`,
  'orders by state': () => '/api/work/orders?filter[state]=queued&page[size]=25',
  'orders by type': () => '/api/work/orders?filter[type]=bench.echo&page[size]=25',
  'one order with its items': () => `/api/work/orders/${one(orderIds)}`,
  status: () => '/api/work/status',
})

const newest = 'newest events'

export const queries: Scenario = {
  name: 'queries',
  about: 'Lists and timelines over HTTP on a million events (synthetic, but chained by the server’s own sequencer).',
  async run(bench) {
    const history = await makeEventHistory(bench, bench.options.events)
    bench.tell(`queries: ${history.events.toLocaleString('en')} events are there`)
    const server = await bench.server({ database: history.database, keys: 1 })
    const rows: Row[] = []
    for (const [name, path] of Object.entries(queriesOf(history))) {
      for (const clients of bench.clientCounts(name === newest ? [1, 8] : [1])) {
        await withClients(
          Array.from({ length: clients }, () => openReader(server, path)),
          async (opened) => {
            await measure(opened, { seconds: bench.warmUpFor(server, 'query'), most: Infinity })
            const extent = { seconds: bench.options.seconds / (name === newest ? 1 : 2.5), most: Infinity }
            const measured = await bench.measure(opened, extent, await bench.spendersOf(server))
            const notes: Row['notes'] = name === newest ? { events: history.events.toLocaleString('en') } : {}
            rows.push({ ...measured, scenario: 'queries', series: `query ${name}`, what: name, unit: 'query', notes })
          },
        )
      }
    }
    const alone = rows.filter(({ clients }) => clients === rows[0]!.clients)
    const explained = new Set([alone.find(({ what }) => what === newest)!, alone.reduce((a, b) => (a.perSecond < b.perSecond ? a : b))])
    const plans = new Map<Row, string>()
    for (const row of explained) {
      const plan = await planOf(bench, history.database, queriesOf(history)[row.what]!())
      if (plan !== null) plans.set(row, plan)
    }
    return rows.map((row) => (plans.has(row) ? { ...row, plan: plans.get(row)! } : row))
  },
}
