import { takeTurns } from '../contenders.ts'
import { cycler } from '../lease-cycles.ts'
import type { Bench, Row, Scenario } from '../suite.ts'
import type { ServerHandle } from '../server-handle.ts'

const inTurns = (clients: number) => clients === 32

async function cycles(bench: Bench, server: ServerHandle, withRedis: ServerHandle | null): Promise<Row[]> {
  const rows: Row[] = []
  for (const clients of bench.clientCounts([1, 8, 32, 128])) {
    const names = { scenario: 'lease-cycle', series: 'cycle database', what: 'HTTP, leases by PostgreSQL' }
    const contenders = [await cycler(bench, server, names)]
    // One client alone, and many at once, say nothing new of the hints.
    if (withRedis !== null && (bench.options.clients !== null || bench.options.quick || clients === 8 || clients === 32))
      contenders.push(await cycler(bench, withRedis, { ...names, series: 'cycle redis', what: 'HTTP, lease hints in Redis' }))
    rows.push(...(await takeTurns(bench, contenders, clients, inTurns(clients) ? bench.options.turns : 1)))
  }
  return rows.toSorted((a, b) => a.series.localeCompare(b.series))
}

export const leaseCycle: Scenario = {
  name: 'lease-cycle',
  about: 'Checkout, heartbeat and submit over HTTP: three requests, one item.',
  async run(bench) {
    const server = await bench.server()
    const redisUrl = await bench.redisUrl('hints')
    if (redisUrl === null) return cycles(bench, server, null)
    const database = await bench.database.createMigrated('bench_redis')
    return bench.withServerBeside({ redisUrl, database }, (withRedis) => cycles(bench, server, withRedis))
  },
}
