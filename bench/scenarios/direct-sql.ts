import { runCycles } from '../lease-cycles.ts'
import { openSqlClient } from '../sql-client.ts'
import type { Row, Scenario } from '../suite.ts'

const itemsPerStatement = 32

export const directSql: Scenario = {
  name: 'direct-sql',
  about: 'The same three statements by direct connections, one item at a time: what PostgreSQL gives without a server in front of it.',
  async run(bench) {
    const server = await bench.server()
    const rows: Row[] = []
    // The embedded PostgreSQL takes 60 connections, and the server has some of them.
    for (const clients of bench.clientCounts([32]).filter((count) => count <= 32)) {
      for (const own of [true, false]) {
        rows.push(
          await runCycles(bench, server, {
            scenario: 'direct-sql',
            series: own ? 'sql own order' : 'sql one queue',
            what: own ? 'direct SQL, an own order each' : 'direct SQL, head of one queue',
            clients,
            ownOrders: own,
            open: ({ id }, orders) => openSqlClient(server, id, { batch: 1, orders: own ? orders : null }),
          }),
        )
      }
      if (bench.options.batched)
        rows.push(
          await runCycles(bench, server, {
            scenario: 'direct-sql',
            series: 'sql batched',
            what: `direct SQL, ${itemsPerStatement} items per statement`,
            clients,
            batch: itemsPerStatement,
            open: ({ id }) => openSqlClient(server, id, { batch: itemsPerStatement, orders: null }),
          }),
        )
    }
    return rows
  },
}
