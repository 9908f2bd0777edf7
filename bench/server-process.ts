/**
 * The server under test, in a process of its own: embedded PostgreSQL in the directory given, every default of the product, real HTTP.
 * Talks to the benchmark over the IPC channel of `fork`, and ends with it.
 */
import { pino } from 'pino'
import { loadConfig } from '../packages/server/src/config/index.ts'
import { openWorkManager } from '../packages/server/src/main.ts'
import { benchType } from './bench-type.ts'
import type { Ready, Usage } from './server-handle.ts'

const [directory, keyCount] = process.argv.slice(2)
const databaseUrl = process.env.DATABASE_URL
const config = await loadConfig({
  env: {},
  cwd: directory!,
  code: {
    server: { port: 0, host: '127.0.0.1' },
    database: databaseUrl ? { url: databaseUrl, admin_url: process.env.DATABASE_ADMIN_URL ?? databaseUrl } : { data_directory: directory! },
  },
})
const log = pino({ level: process.env.BENCH_LOG ?? 'warn' }, pino.destination(2))
const manager = await openWorkManager(config, { types: [benchType], log })
const url = await manager.listen()
const { id: tenantId } = await manager.tenants.ensure('bench', 'Bench')
const keyFor = async (kind: 'agent' | 'service', principalId: string, abilities: string[]) =>
  (await manager.keys.create({ tenant: 'bench', kind, principalId, name: principalId, abilities })).key
const agents: Ready['agents'] = []
for (let n = 1; n <= Number(keyCount); n++) {
  const id = `bench-agent-${n}`
  agents.push({ id, key: await keyFor('agent', id, ['work:view', 'work:checkout', 'work:heartbeat', 'work:submit']) })
}
const proposer = await keyFor('service', 'bench-proposer', ['work:propose', 'work:view'])

const say = (message: object): void => void process.send!(message)
const usage = (): Usage => ({ rssBytes: process.memoryUsage.rss(), cpuMicros: process.cpuUsage().user + process.cpuUsage().system })
process.on('message', (asked) => {
  if (asked === 'usage') say({ usage: usage() })
})
let stopping = false
const stop = async (): Promise<void> => {
  if (stopping) return
  stopping = true
  await manager.stop()
  process.exit(0)
}
process.on('disconnect', () => void stop())
process.on('SIGTERM', () => void stop())
process.on('SIGINT', () => void stop())

say({
  ready: {
    url,
    tenantId,
    agents,
    proposer,
    runtimeUrl: manager.embedded?.runtimeUrl ?? databaseUrl!,
    adminUrl: manager.embedded?.adminUrl ?? process.env.DATABASE_ADMIN_URL ?? databaseUrl!,
    heartbeatEverySeconds: config.lease.heartbeat_every_seconds,
    idempotencyTtlSeconds: config.idempotency.ttl_hours * 3600,
  } satisfies Ready,
})
