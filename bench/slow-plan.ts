/** What PostgreSQL does for one request: the slowest plan that it logs while the request runs. */
import { readFile } from 'node:fs/promises'
import { type DatabaseUrls, withAdmin } from './database.ts'
import { openReader } from './http-client.ts'
import { measure, withClients } from './measure.ts'
import type { Bench } from './suite.ts'

const mostLines = 60

/** Null when the log of the database server cannot be read. */
export async function planOf(bench: Bench, database: DatabaseUrls, path: string): Promise<string | null> {
  const { logFile } = bench.database
  if (logFile === null) return null
  await bench.stopServer()
  await withAdmin(database.adminUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>('select current_database() as name')
    const settings = { session_preload_libraries: 'auto_explain', 'auto_explain.log_min_duration': '0', 'auto_explain.log_analyze': 'on' }
    for (const [name, value] of Object.entries(settings)) await client.query(`alter database ${rows[0]!.name} set ${name} = '${value}'`)
  })
  const server = await bench.server({ database, keys: 1 })
  const begin = (await readFile(logFile, 'utf8')).length
  // More than once: a later one shows the plan of a warm cache.
  await withClients([openReader(server, () => path)], (clients) => measure(clients, { seconds: 30, most: 5 }))
  await bench.stopServer()
  const plans = (await readFile(logFile, 'utf8'))
    .slice(begin)
    .split(/^\d{4}-\d\d-\d\d /m)
    .flatMap((entry) => {
      const duration = /duration: ([\d.]+) ms {2}plan:/.exec(entry)
      return duration && !entry.includes('wm.number_') ? [{ ms: Number(duration[1]), text: entry.slice(entry.indexOf('duration:')) }] : []
    })
  // Of each statement its fastest run: the first reads from disk and plans.
  const statements = Map.groupBy(plans, ({ text }) => /Query Text:([\s\S]*?)Query Parameters:/.exec(text)?.[1] ?? text)
  const fastest = [...statements.values()].map((runs) => runs.reduce((a, b) => (b.ms < a.ms ? b : a)))
  const slowest = fastest.toSorted((a, b) => b.ms - a.ms)[0]
  return slowest ? slowest.text.split('\n').slice(0, mostLines).join('\n').trimEnd() : null
}
