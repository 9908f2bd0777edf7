/**
 * A tenant that sends a hundred times its quota beside one that works: what the second one notices. Prints its p99 and its rate alone and
 * beside the flood, in turns, because the machine has other things to do as well. `node bench/noisy-neighbour.ts [seconds] [clients]`
 */
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { loadConfig } from '../packages/server/src/config/index.ts'
import { openWorkManager } from '../packages/server/src/main.ts'
import { startChild } from './child-process.ts'
import { type DatabaseUrls, openBenchDatabase } from './database.ts'
import { HttpConnection } from './http-connection.ts'
import { type Client, measure, type Measured } from './measure.ts'
import { benchType, itemsPerOrder, resultFor } from './order-types/bench-echo.ts'

const [, , role, argument] = process.argv
const quotaPerMinute = 500
const times = 100
const floodConnections = 32
const rounds = 3

interface Server {
  readonly url: string
  readonly loud: string
  readonly proposer: string
  readonly agents: readonly string[]
}

async function serve({ database, clients }: { database: DatabaseUrls; clients: number }): Promise<void> {
  const config = await loadConfig({
    env: {},
    cwd: import.meta.dirname,
    code: {
      server: { port: 0, host: '127.0.0.1' },
      database: { url: database.runtimeUrl, admin_url: database.adminUrl },
      order_types: { directories: [fileURLToPath(new URL('order-types', import.meta.url))] },
      // The flooding tenant has the default tier as it is; the working one has no limit that it could meet.
      rate_limits: { default_per_minute: quotaPerMinute, enterprise_per_minute: 1_000_000 },
    },
  })
  const manager = await openWorkManager(config, { log: pino({ level: process.env.BENCH_LOG ?? 'error' }, pino.destination(2)) })
  const url = await manager.listen()
  const keyFor = async (tenant: string, kind: 'agent' | 'service', principalId: string, abilities: string[]) =>
    (await manager.keys.create({ tenant, kind, principalId, name: principalId, abilities })).key
  const loud = await keyFor('loud', 'service', 'loud', ['work:*'])
  const proposer = await keyFor('steady', 'service', 'proposer', ['work:propose', 'work:view'])
  const agents: string[] = []
  for (let n = 0; n < clients; n++)
    agents.push(await keyFor('steady', 'agent', `agent-${n}`, ['work:checkout', 'work:heartbeat', 'work:submit']))
  await manager.keys.setTier('steady', 'enterprise')
  process.on('SIGTERM', () => void manager.stop().then(() => process.exit(0)))
  process.send!({ ready: { url, loud, proposer, agents } satisfies Server })
}

/** Sends at a steady rate, whatever the answers, until it is told to stop; says how they were. */
async function flood({ url, loud }: { url: string; loud: string }): Promise<void> {
  const statuses: Record<number, number> = {}
  const perSecond = (quotaPerMinute * times) / 60
  const connections = await Promise.all(Array.from({ length: floodConnections }, () => HttpConnection.open(new URL(url), loud)))
  const state = { on: true }
  process.on('message', () => {
    state.on = false
    process.send!({ flooded: statuses })
  })
  process.on('SIGTERM', () => process.exit(0))
  process.send!({ ready: true })
  const begin = performance.now()
  let sent = 0
  await Promise.all(
    connections.map(async (connection, index) => {
      while (state.on) {
        const due = begin + (sent++ / perSecond) * 1000 - performance.now()
        if (due > 0) await new Promise((resolve) => setTimeout(resolve, due))
        const { status } = await (index % 2 ? connection.post('/api/work/checkout', '{}') : connection.get('/api/work/orders'))
        statuses[status] = (statuses[status] ?? 0) + 1
      }
    }),
  )
}

async function workingClient(url: URL, key: string): Promise<Client> {
  const connection = await HttpConnection.open(url, key)
  const expected = async (wanted: number, answer: Promise<{ status: number; body: string }>): Promise<string> => {
    const { status, body } = await answer
    if (status !== wanted) throw new Error(`${status} ${body.slice(0, 200)}`)
    return body
  }
  return {
    async step(timed) {
      const { item } = JSON.parse(await timed('checkout', () => expected(200, connection.post('/api/work/checkout', '{}')))) as {
        item: { id: string; lease_token: string; input: { number: number } }
      }
      const token = JSON.stringify({ lease_token: item.lease_token })
      await timed('heartbeat', () => expected(200, connection.post(`/api/work/items/${item.id}/heartbeat`, token)))
      const result = JSON.stringify({ lease_token: item.lease_token, result: resultFor(item.input) })
      await timed('submit', () => expected(202, connection.post(`/api/work/items/${item.id}/submit`, result, crypto.randomUUID())))
    },
    close: () => connection.close(),
  }
}

async function main(): Promise<void> {
  const seconds = Number(process.argv[2] ?? 10)
  const clients = Number(process.argv[3] ?? 4)
  const database = await openBenchDatabase()
  const file = 'noisy-neighbour.ts'
  const serving = startChild(file, ['serve', JSON.stringify({ database: await database.createMigrated('bench_noisy'), clients })])
  try {
    const server = await serving.message<Server>('ready')
    const url = new URL(server.url)
    const proposer = await HttpConnection.open(url, server.proposer)
    const propose = async (orders: number) => {
      for (let n = 0; n < orders; n++) {
        const { status, body } = await proposer.post(
          '/api/work/propose',
          JSON.stringify({ type: benchType, payload: { count: itemsPerOrder } }),
          crypto.randomUUID(),
        )
        if (status !== 201) throw new Error(`the proposal was refused: ${status} ${body}`)
      }
    }
    const work = async (): Promise<Measured> => {
      await propose(seconds * 10)
      return measure(await Promise.all(server.agents.map((key) => workingClient(url, key))), {
        seconds,
        most: seconds * 10 * itemsPerOrder,
      })
    }
    const all: Record<'alone' | 'beside', Measured[]> = { alone: [], beside: [] }
    await work()
    for (let round = 0; round < rounds; round++) {
      all.alone.push(await work())
      const flooding = startChild(file, ['flood', JSON.stringify(server)])
      try {
        await flooding.message('ready')
        all.beside.push(await work())
        const statuses = await flooding.message<Record<string, number>>('flooded', 'stop')
        console.log(`round ${round + 1}: the flood was answered ${JSON.stringify(statuses)}`)
      } finally {
        await flooding.stop()
      }
    }
    proposer.close()
    report(all, clients)
  } finally {
    await serving.stop()
    await database.stop()
  }
}

function report({ alone, beside }: Record<'alone' | 'beside', readonly Measured[]>, clients: number): void {
  const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
  console.log(
    `\n${clients} working clients; beside them ${times} × ${quotaPerMinute} requests a minute of another tenant; medians of ${rounds} rounds`,
  )
  for (const call of ['checkout', 'heartbeat', 'submit']) {
    const p99 = (all: readonly Measured[]) => median(all.map((one) => one.latencyMs[call]!.p99))
    const [before, after] = [p99(alone), p99(beside)]
    console.log(
      `  ${call.padEnd(10)} p99 ${before.toFixed(1)} ms alone, ${after.toFixed(1)} ms beside: ${(after / before).toFixed(2)} × (target 2)`,
    )
  }
  const rate = (all: readonly Measured[]) => median(all.map((one) => one.perSecond))
  const lost = 1 - rate(beside) / rate(alone)
  console.log(
    `  cycles/s   ${rate(alone).toFixed(0)} alone, ${rate(beside).toFixed(0)} beside: ${(lost * 100).toFixed(0)} % fewer (target 20)`,
  )
  console.log(`  errors     ${[...alone, ...beside].reduce((sum, one) => sum + one.errors, 0)}`)
}

if (role === 'serve') await serve(JSON.parse(argument!) as Parameters<typeof serve>[0])
else if (role === 'flood') await flood(JSON.parse(argument!) as Parameters<typeof flood>[0])
else await main()
