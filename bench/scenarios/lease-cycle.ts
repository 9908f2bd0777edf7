import { httpCycles } from '../lease-cycles.ts'
import type { Scenario } from '../suite.ts'

export const leaseCycle: Scenario = {
  name: 'lease-cycle',
  about: 'Checkout, heartbeat and submit over HTTP: three requests, one item.',
  async run(bench) {
    const counts = bench.clientCounts([1, 8, 32, 128])
    const name = (series: string, what: string) => ({ scenario: 'lease-cycle', series, what })
    const rows = await httpCycles(bench, await bench.server(), name('cycle database', 'HTTP, leases by PostgreSQL'), counts)
    const redisUrl = await bench.redisUrl('hints')
    if (redisUrl === null) return rows
    const redis = await httpCycles(bench, await bench.server({ redisUrl }), name('cycle redis', 'HTTP, lease hints in Redis'), counts)
    return [...rows, ...redis]
  },
}
