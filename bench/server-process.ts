/**
 * The server under test, in a process of its own, with every default of the product but two: limits of requests that never bite (they are
 * counted all the same), and what the scenario asks for. With several workers this is their primary.
 * Talks to the benchmark over the IPC channel of `fork`, and ends with it.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { echoTypeNamed } from './order-types/bench-echo.ts'
import { loadConfig } from '../packages/server/src/config/index.ts'
import { startWorkers, type Workers } from '../packages/server/src/cli/workers/primary.ts'
import { openWorkManager } from '../packages/server/src/main.ts'
import { processStat } from './processor-time.ts'
import type { Ready, ServerSpec, Usage } from './server-handle.ts'

const spec = JSON.parse(process.argv[2]!) as ServerSpec
const many = spec.workers > 1
const config = await loadConfig({
  env: {},
  cwd: import.meta.dirname,
  code: {
    server: { port: 0, host: '127.0.0.1', workers: spec.workers },
    database: { url: spec.database.runtimeUrl, admin_url: spec.database.adminUrl },
    order_types: { directories: [fileURLToPath(new URL('order-types', import.meta.url))] },
    // The agents of the benchmark decide without looking.
    approval: { require_digest: false },
    rate_limits: { default_per_minute: 1_000_000, anonymous_per_minute: 1_000_000 },
    // One proposer fills every queue.
    propose: { max_open_per_principal: 1_000_000 },
    ...(spec.redisUrl === null ? {} : { redis: { url: spec.redisUrl } }),
    lease: {
      ...(spec.redisUrl === null ? {} : { backend: 'redis' as const }),
      ...(spec.leasesPerType === null ? {} : { max_per_type: spec.leasesPerType }),
    },
  },
})
const log = pino({ level: process.env.BENCH_LOG ?? 'error' }, pino.destination(2))
const types = Array.from({ length: spec.furtherTypes }, (_, n) => echoTypeNamed(`bench.kind-${n}`))
const served = many ? { ...config, background: { ...config.background, enabled: false } } : config
const manager = await openWorkManager(served, { log, types })
const workers: Workers | null = many
  ? await startWorkers({
      config,
      manager,
      plainLogLevel: null,
      onGivingUp(why) {
        log.fatal(why.message)
        process.exit(1)
      },
    })
  : null
const url = workers?.url ?? (await manager.listen())
const { id: tenantId } = await manager.tenants.ensure('bench', 'Bench')
const keyFor = async (kind: 'agent' | 'service' | 'person', principalId: string, abilities: string[], tenant = 'bench') =>
  (await manager.keys.create({ tenant, kind, principalId, name: principalId, abilities })).key
const ofAgents = ['work:view', 'work:checkout', 'work:heartbeat', 'work:submit']
const ofProposers = ['work:propose', 'work:view']
const agents: Array<{ id: string; key: string }> = []
const makeAgents = async () => {
  while (agents.length < spec.keys) {
    const n = agents.length + 1
    const agent = { id: `bench-agent-${n}`, key: '' }
    agents.push(agent)
    agent.key = await keyFor('agent', agent.id, ofAgents)
  }
}
await Promise.all(Array.from({ length: 4 }, makeAgents))
const proposer = await keyFor('service', 'bench-proposer', ofProposers)
const reviewer = await keyFor('person', 'bench-reviewer', ['work:*'])

const tenants: Array<{ proposer: string; agents: string[] }> = []
for (let n = 1; n <= spec.tenants; n++) {
  const slug = `bench-${n}`
  await manager.tenants.ensure(slug, slug)
  tenants.push({
    proposer: await keyFor('service', 'bench-proposer', ofProposers, slug),
    agents: [await keyFor('agent', 'bench-agent-1', ofAgents, slug), await keyFor('agent', 'bench-agent-2', ofAgents, slug)],
  })
}

const serving = () => workers?.pids() ?? [process.pid]
/** Resident memory of a process; only Linux tells that of others. */
function rssOf(pid: number): number {
  if (pid === process.pid) return process.memoryUsage.rss()
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
  } catch {
    return 0
  }
}
const cpuOf = (pid: number): number => {
  if (pid !== process.pid) return processStat(pid)?.micros ?? 0
  const { user, system } = process.cpuUsage()
  return user + system
}
const sum = (pids: Iterable<number>, of: (pid: number) => number) => [...pids].reduce((all, pid) => all + of(pid), 0)

const say = (message: object): void => void process.send!(message)
process.on('message', (asked) => {
  if (asked === 'usage')
    say({ usage: { rssBytes: sum(serving(), rssOf), cpuMicros: sum(new Set([process.pid, ...serving()]), cpuOf) } satisfies Usage })
})
let stopping = false
const stop = async (): Promise<void> => {
  if (stopping) return
  stopping = true
  await workers?.stop()
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
    reviewer,
    tenants,
    heartbeatEverySeconds: config.lease.heartbeat_every_seconds,
    idempotencyTtlSeconds: config.idempotency.ttl_hours * 3600,
  } satisfies Ready,
})
