import { runCycles } from '../lease-cycles.ts'
import type { Row, Scenario } from '../suite.ts'

export const workers: Scenario = {
  name: 'workers',
  about:
    'Lease cycles with one and with two processes (`--workers`). PostgreSQL, the processes and the load generator share the cores: where there are only two, a second process takes the one that PostgreSQL needs. Expect a gain where cores are left beside it, or where it runs on another machine.',
  async run(bench) {
    const rows: Row[] = []
    for (const count of [1, 2]) {
      const server = await bench.server({ workers: count })
      const name = { scenario: 'workers', series: `workers ${count}`, what: count === 1 ? 'one process' : `${count} worker processes` }
      for (const clients of bench.clientCounts([128])) rows.push(await runCycles(bench, server, { ...name, clients }))
    }
    return rows
  },
}
