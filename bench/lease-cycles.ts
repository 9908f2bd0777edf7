/** Lease cycles on a server of ours, alone or in turns with others; afterwards the record and the process are looked at. */
import { type Contender, takeTurns } from './contenders.ts'
import { fillQueue, openLeaseCycler } from './http-client.ts'
import type { Client } from './measure.ts'
import { itemsPerOrder } from './order-types/bench-echo.ts'
import { RecordReader } from './record.ts'
import type { ServerHandle } from './server-handle.ts'
import type { Bench, Row } from './suite.ts'

export interface CycleRun {
  readonly scenario: string
  readonly series: string
  readonly what: string
  /** Items per step, when one step carries several. */
  readonly batch?: number
  /** Clients take from orders of their own and leave some half done: there must be more of them. */
  readonly ownOrders?: boolean
  /** Types of the orders, in turn; `bench.echo` otherwise. */
  readonly types?: readonly string[]
  /** HTTP where nothing else is said. */
  open?(agent: { id: string; key: string }, orders: string[]): Promise<Client>
  /** Instead of the first agents of the server and a queue of its one tenant. */
  readonly several?: Pick<Contender, 'open' | 'fill'>
}

export const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`

export async function cycler(bench: Bench, server: ServerHandle, run: CycleRun): Promise<Contender> {
  const { scenario, series, what, batch = 1, open = ({ key }) => openLeaseCycler(server, key) } = run
  const orders: string[] = []
  const kinds = run.types === undefined ? {} : { types: run.types, perOrder: 10 }
  const fill = async (steps: number) => void orders.push(...(await fillQueue(server, steps * batch, kinds)))
  let reader: Promise<RecordReader> | null = null
  const lag = async () => (await (reader ??= RecordReader.open(server.spec.database.adminUrl))).lag()
  return {
    scenario,
    series,
    what,
    unit: 'cycle',
    batch,
    engine: server,
    spenders: await bench.spendersOf(server),
    open(clients) {
      const ready = run.ownOrders === true ? fill(clients * 2 * itemsPerOrder) : Promise.resolve()
      return server.agents.slice(0, clients).map((agent) => ready.then(() => open(agent, orders)))
    },
    fill,
    ...run.several,
    rest: lag,
    async settle(metering) {
      const { behind, secondsToCatchUp } = await lag()
      await metering.numbered()
      const { rssBytes } = await server.usage()
      return {
        notes: { 'server RSS': megabytes(rssBytes), 'events behind': `${behind} (${secondsToCatchUp.toFixed(1)} s)` },
        figures: { rssBytes },
      }
    },
    close: async () => (await reader)?.close(),
  }
}

export async function runCycles(bench: Bench, server: ServerHandle, run: CycleRun & { readonly clients: number }): Promise<Row> {
  const [row] = await takeTurns(bench, [await cycler(bench, server, run)], run.clients, 1)
  return row!
}
