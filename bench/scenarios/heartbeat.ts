import { fillQueue, openHeartbeater } from '../http-client.ts'
import { measure, withClients } from '../measure.ts'
import type { ServerHandle } from '../server-handle.ts'
import type { Bench, Row, Scenario } from '../suite.ts'

async function beat(bench: Bench, server: ServerHandle, series: string, what: string): Promise<Row[]> {
  const rows: Row[] = []
  for (const clients of bench.clientCounts([32])) {
    await fillQueue(server, clients)
    rows.push(
      await withClients(
        server.agents.slice(0, clients).map(({ key }) => openHeartbeater(server, key)),
        async (opened) => {
          await measure(opened, { seconds: bench.warmUpFor(server, 'heartbeat'), most: Infinity })
          const measured = await bench.measure(opened, { seconds: bench.options.seconds, most: Infinity }, await bench.spendersOf(server))
          return { ...measured, scenario: 'heartbeat', series, what, unit: 'heartbeat', notes: {} }
        },
      ),
    )
  }
  return rows
}

export const heartbeat: Scenario = {
  name: 'heartbeat',
  about: 'Heartbeats only: each client holds one item and extends its lease.',
  async run(bench) {
    const rows = await beat(bench, await bench.server(), 'heartbeat database', 'HTTP, leases by PostgreSQL')
    const redisUrl = await bench.redisUrl('hints')
    if (redisUrl === null) return rows
    return [...rows, ...(await beat(bench, await bench.server({ redisUrl }), 'heartbeat redis', 'HTTP, lease hints in Redis'))]
  },
}
