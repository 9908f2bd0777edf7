import { openProposer } from '../http-client.ts'
import { measure, withClients } from '../measure.ts'
import type { Row, Scenario } from '../suite.ts'

export const propose: Scenario = {
  name: 'propose',
  about: 'Proposals only: orders of one item, planned at once.',
  async run(bench) {
    const server = await bench.server()
    const rows: Row[] = []
    for (const clients of bench.clientCounts([32])) {
      await withClients(
        Array.from({ length: clients }, () => openProposer(server)),
        async (opened) => {
          await measure(opened, { seconds: bench.warmUpFor(server, 'order'), most: Infinity })
          const measured = await bench.measure(opened, { seconds: bench.options.seconds, most: Infinity }, await bench.spendersOf(server))
          rows.push({ ...measured, scenario: 'propose', series: 'propose', what: 'HTTP', unit: 'order', notes: {} })
        },
      )
    }
    return rows
  },
}
