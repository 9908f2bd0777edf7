import { runCycles } from '../lease-cycles.ts'
import type { Row, Scenario } from '../suite.ts'

const leasesPerType = 50

export const types: Scenario = {
  name: 'types',
  about: 'Lease cycles from a queue of 1,000 order types, ten items of each at a time, with and without a limit of leases for each type.',
  async run(bench) {
    const count = bench.options.quick ? 10 : 1000
    const database = await bench.database.createMigrated('bench_types')
    const names = Array.from({ length: count }, (_, n) => `bench.kind-${n}`)
    const rows: Row[] = []
    for (const limited of [false, true]) {
      const server = await bench.server({ database, furtherTypes: count, leasesPerType: limited ? leasesPerType : null })
      for (const clients of bench.clientCounts([32]))
        rows.push(
          await runCycles(bench, server, {
            scenario: 'types',
            series: limited ? 'types limited' : 'types free',
            what: limited ? `at most ${leasesPerType} leases of each type` : 'no limit',
            clients,
            types: names,
          }),
        )
    }
    return rows
  },
}
