import { openApprover, submittedOrders } from '../http-client.ts'
import { withClients } from '../measure.ts'
import type { ServerHandle } from '../server-handle.ts'
import type { Options, Row, Scenario } from '../suite.ts'

/** Orders that are made ready for a measurement, which ends when they are used up: as many as come about in twice its time. */
const mostOrders = 3000
const sample = 64

async function readyOrders(server: ServerHandle, { quick, seconds }: Options): Promise<string[]> {
  if (quick) return submittedOrders(server, 4)
  const begin = performance.now()
  const orders = await submittedOrders(server, sample)
  const perSecond = sample / ((performance.now() - begin) / 1000)
  orders.push(...(await submittedOrders(server, Math.ceil(Math.min(mostOrders, perSecond * seconds * 2)))))
  return orders
}

export const approve: Scenario = {
  name: 'approve',
  about: 'Approve and apply: each request approves an order of one item and is answered when its changes are applied.',
  async run(bench) {
    const server = await bench.server()
    const rows: Row[] = []
    for (const clients of bench.clientCounts([32])) {
      const orders = await readyOrders(server, bench.options)
      const most = orders.length
      await withClients(
        Array.from({ length: clients }, () => openApprover(server, orders)),
        async (opened) => {
          const measured = await bench.measure(opened, { seconds: bench.options.seconds, most }, await bench.spendersOf(server))
          rows.push({ ...measured, scenario: 'approve', series: 'approve', what: 'HTTP', unit: 'order', notes: {} })
        },
      )
    }
    return rows
  },
}
