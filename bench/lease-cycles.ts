/** Measures lease cycles on a server: fills the queue, warms up, measures, and looks at the record and the process afterwards. */
import { fillQueue, openLeaseCycler } from './http-client.ts'
import { type Client, measure, withClients } from './measure.ts'
import { itemsPerOrder } from './order-types/bench-echo.ts'
import { RecordReader } from './record.ts'
import type { ServerHandle } from './server-handle.ts'
import type { Bench, Row } from './suite.ts'

const warmUpSteps = 500
/** The queue must outlast the measurement, whose speed the warm-up only guesses. */
const reserve = 1.6

export interface CycleRun {
  readonly scenario: string
  readonly series: string
  readonly what: string
  readonly clients: number
  /** Items per step, when one step carries several. */
  readonly batch?: number
  /** Clients take from orders of their own and leave some half done: there must be more of them. */
  readonly ownOrders?: boolean
  /** Types of the orders, in turn; `bench.echo` otherwise. */
  readonly types?: readonly string[]
  open(agent: { id: string; key: string }, orders: string[]): Promise<Client>
}

export const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`

export async function runCycles(bench: Bench, server: ServerHandle, run: CycleRun): Promise<Row> {
  const { options } = bench
  const { clients: count, batch = 1 } = run
  const agents = server.agents.slice(0, count)
  const warmUp = options.quick ? count : Math.max(count * 2, Math.ceil(warmUpSteps / batch))
  const record = await RecordReader.open(server.spec.database.adminUrl)
  try {
    const spare = count * (run.ownOrders === true ? 2 * itemsPerOrder : 1)
    const fill = (items: number) => fillQueue(server, items * batch, run.types === undefined ? {} : { types: run.types, perOrder: 10 })
    const orders = await fill(warmUp + spare)
    return await withClients(
      agents.map((agent) => run.open(agent, orders)),
      async (clients) => {
        const warm = await measure(clients, { seconds: Infinity, most: warmUp })
        const most = Math.ceil(warm.perSecond * options.seconds * reserve)
        orders.push(...(await fill(most)))
        await record.lag()
        const metering = await bench.meter.start(await bench.spendersOf(server))
        const measured = await measure(clients, { seconds: options.seconds, most })
        await metering.stop()
        const lag = await record.lag()
        await metering.numbered()
        const { rssBytes } = await server.usage()
        const items = measured.steps * batch
        return {
          ...measured,
          steps: items,
          perSecond: measured.perSecond * batch,
          scenario: run.scenario,
          series: run.series,
          what: run.what,
          unit: 'cycle',
          notes: {
            'server RSS': megabytes(rssBytes),
            'events behind': `${lag.behind} (${lag.secondsToCatchUp.toFixed(1)} s)`,
          },
          figures: { rssBytes },
          processor: metering.per(items),
        }
      },
    )
  } finally {
    await record.close()
  }
}

/** Cycles over HTTP at each number of clients. */
export async function httpCycles(
  bench: Bench,
  server: ServerHandle,
  names: { scenario: string; series: string; what: string },
  counts: readonly number[],
): Promise<Row[]> {
  const rows: Row[] = []
  for (const clients of counts)
    rows.push(await runCycles(bench, server, { ...names, clients, open: ({ key }) => openLeaseCycler(server, key) }))
  return rows
}
