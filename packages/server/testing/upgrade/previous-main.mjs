/**
 * Runs in a process of its own, on the program that lies in the folder named by its first argument: `migrate`, or `serve`, which prints
 * one line (address and keys) and ends when its input does.
 */
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, command] = process.argv.slice(2)
const source = (file) => import(pathToFileURL(path.join(folder, 'packages/server/src', file)).href)
const { loadConfig } = await source('config/index.ts')
const { migrateDatabase, openWorkManager } = await source('main.ts')
const { createRequire } = await import('node:module')
const { pino } = createRequire(path.join(folder, 'package.json'))('pino')

const defaults = await loadConfig({ env: {}, cwd: folder })
const config = {
  ...defaults,
  database: { ...defaults.database, url: process.env.RUNTIME_URL, admin_url: process.env.ADMIN_URL, max_connections: 10 },
  server: { ...defaults.server, port: 0, drain_seconds: 2 },
  approval: { ...defaults.approval, require_digest: false },
  rate_limits: { ...defaults.rate_limits, enabled: false },
}
if (command === 'migrate') {
  await migrateDatabase(config)
} else {
  const { defineOrderType } = await source('work/order-types/author.ts')
  const types = [
    defineOrderType({
      type: 'test.echo',
      payload: { type: 'object', properties: { messages: { type: 'array', items: { type: 'string' } } }, required: ['messages'] },
      result: { type: 'object', properties: { echoed: { type: 'string' } }, required: ['echoed'] },
      plan: ({ payload }) => payload.messages.map((message) => ({ input: { message } })),
      async apply({ order, items, records, diff }) {
        await records.put('echoes', order.id, items.length)
        return diff({}, { items: items.length }, 'echoed')
      },
    }),
  ]
  const manager = await openWorkManager(
    { ...config, database: { ...config.database, admin_url: undefined } },
    { types, log: pino({ level: 'error' }, process.stderr) },
  )
  const url = await manager.listen()
  const key = async (kind, principalId, abilities) =>
    (await manager.keys.create({ tenant: 'default', kind, principalId, name: principalId, abilities })).key
  const keys = {
    agent: await key('agent', 'worker', ['work:propose', 'work:view', 'work:checkout', 'work:heartbeat', 'work:submit']),
    service: await key('service', 'crm', ['work:propose', 'work:view', 'work:cancel']),
  }
  process.stdout.write(`${JSON.stringify({ url, keys })}\n`)
  process.stdin.resume()
  process.stdin.on('end', () => void manager.stop().then(() => process.exit(0)))
}
