/** Many lease cycles on one server: does it get slower, does its memory grow? */
import { megabytes, runCycles } from './lease-cycles.ts'
import { RecordReader } from './record.ts'
import { rowLine } from './report.ts'
import type { Bench, Row } from './suite.ts'

export async function soak(bench: Bench, cycles: number): Promise<void> {
  const clients = Math.max(...bench.clientCounts([32]))
  const server = await bench.server()
  const before = await server.usage()
  const rows: Row[] = []
  for (let done = 0; done < cycles; done += rows.at(-1)!.steps) {
    const row = await runCycles(bench, server, {
      scenario: 'soak',
      series: 'soak',
      what: 'HTTP',
      clients,
    })
    rows.push(row)
    bench.tell(rowLine(row))
    if (row.steps === 0) throw new Error('no cycle succeeded')
  }
  const record = await RecordReader.open(server.spec.database.adminUrl)
  const hotShare = await record.hotShare()
  await record.close()
  const sum = (of: (row: Row) => number) => rows.reduce((all, row) => all + of(row), 0)
  const rss = rows.map((row) => row.figures!.rssBytes!)
  bench.tell(`
${sum((row) => row.steps).toLocaleString('en')} cycles, ${sum((row) => row.errors)} errors
server RSS: ${megabytes(before.rssBytes)} before, ${megabytes(rss.at(-1)!)} after, ${megabytes(Math.max(...rss))} at most
cycles/s: ${Math.round(rows[0]!.perSecond)} in the first ${rows[0]!.steps}, ${Math.round(rows.at(-1)!.perSecond)} in the last
HOT share of the updates of items: ${(hotShare * 100).toFixed(0)} %`)
}
