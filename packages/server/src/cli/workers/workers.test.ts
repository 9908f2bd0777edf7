/** `serve --workers 2` with real processes: both serve, one may die under load, and none outlives the primary. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { until } from '../../../testing/test-server.ts'

const bin = fileURLToPath(new URL('../../../bin/work-manager.mjs', import.meta.url))
const orderTypes = new URL('../../work/order-types/author.ts', import.meta.url).href
/** Plans say which process planned; a worker cannot start once the file `broken` is there. */
const countingType = `import { existsSync } from 'node:fs'
import Type from '${import.meta.resolve('typebox')}'
import { defineOrderType } from '${orderTypes}'
if (existsSync('broken')) throw new Error('the order types are broken')
export default defineOrderType({
  type: 'test.counting',
  payload: Type.Object({ count: Type.Integer() }),
  input: Type.Object({ number: Type.Integer(), plannedBy: Type.Integer() }),
  result: Type.Object({ number: Type.Integer() }),
  plan: ({ payload }) => Array.from({ length: payload.count }, (_, number) => ({ input: { number, plannedBy: process.pid } })),
  apply: (ctx) => ctx.diff({}, {}, 'Counted.'),
})
`

interface Served {
  readonly child: ChildProcess
  readonly cwd: string
  readonly url: string
  readonly key: string
  log(): string
  ended: Promise<number | null>
}

const open: Served[] = []
afterEach(async () => {
  for (const { child, cwd, ended } of open.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await ended
    await rm(cwd, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
})

async function serve(...args: string[]): Promise<Served> {
  const cwd = await mkdtemp(path.join(tmpdir(), 'wm-workers-'))
  await mkdir(path.join(cwd, 'types'))
  await writeFile(path.join(cwd, 'types', 'counting.ts'), countingType)
  await writeFile(
    path.join(cwd, 'work-manager.config.json'),
    JSON.stringify({ server: { port: 0, drain_seconds: 2 }, order_types: { directories: ['types'], shipped: false } }),
  )
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('WORK_MANAGER_') && !name.startsWith('DATABASE_')),
  )
  const child = spawn(process.execPath, [bin, 'serve', ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const url = await new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      log += chunk.toString()
      const ready = /ready at (\S+)/.exec(log)
      if (ready) resolve(ready[1] as string)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.on('close', (code) => reject(new Error(`the server ended with ${code}: ${log}`)))
  })
  const key = (await readFile(path.join(cwd, '.work-manager', 'reviewer.key'), 'utf8')).trim()
  const served = { child, cwd, url, key, log: () => log, ended }
  open.push(served)
  return served
}

/** Processes of the primary that serve: its children that run the worker entry. */
async function workersOf({ child }: Served): Promise<number[]> {
  const ps = spawn('ps', ['-A', '-o', 'pid=,ppid=,args='], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  ps.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(ps, 'close')
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, ...args]) => Number(parent) === child.pid && /workers\/worker\.ts/.test(args.join(' ')))
    .map(([pid]) => Number(pid))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

interface Reply {
  status: number
  body: any
}

/** One request on a connection of its own; a connection that a dying process took along ends by the time limit. */
function request(served: Served, method: string, route: string, body?: unknown, idempotencyKey = randomUUID()): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body)
    const sent = http.request(`${served.url}${route}`, {
      method,
      agent: false,
      timeout: 5000,
      headers: {
        authorization: `Bearer ${served.key}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        'idempotency-key': idempotencyKey,
      },
    })
    sent.on('error', reject)
    sent.on('timeout', () => sent.destroy(new Error('no answer')))
    sent.on('response', (response) => {
      let received = ''
      response.on('data', (chunk: Buffer) => (received += chunk.toString()))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode!, body: received.startsWith('{') ? JSON.parse(received) : received }))
    })
    sent.end(text)
  })
}

/** As a careful client: a request without an answer is sent again with its key, until one comes. */
function surely(served: Served, method: string, route: string, body?: unknown): Promise<Reply> {
  const idempotencyKey = randomUUID()
  return until(() => request(served, method, route, body, idempotencyKey).catch(() => null), `an answer to ${method} ${route}`)
}

async function propose(served: Served, count: number): Promise<{ id: string }> {
  const { status, body } = await surely(served, 'POST', '/api/work/propose', { type: 'test.counting', payload: { count } })
  expect({ status, body }).toMatchObject({ status: 201 })
  return body.order
}

test('both workers serve; one killed under load is replaced, and nothing acknowledged is lost', async () => {
  const served = await serve('--workers', '2')
  const [first, second] = await workersOf(served)
  expect([first, second].every(Boolean)).toBe(true)
  expect(served.log()).toContain('workers   2')

  const order = await propose(served, 60)
  const planners = new Set<number>()
  const acknowledged: string[] = []
  const readiness: number[] = []
  const work = async () => {
    for (;;) {
      const checkout = await surely(served, 'POST', `/api/work/orders/${order.id}/checkout`, {})
      if (checkout.body.item === undefined || checkout.body.item === null) return
      const { id, lease_token: token, input } = checkout.body.item
      const submit = await surely(served, 'POST', `/api/work/items/${id}/submit`, { lease_token: token, result: { number: input.number } })
      if (submit.status === 202) acknowledged.push(id)
    }
  }
  const working = Promise.all([work(), work(), work(), work()])
  await until(async () => acknowledged.length >= 10, 'some items are submitted')
  process.kill(first!, 'SIGKILL')
  for (let n = 0; n < 10; n++) readiness.push((await surely(served, 'GET', '/readyz')).status)
  await working
  expect(readiness.every((status) => status === 200)).toBe(true)

  for (const id of acknowledged) {
    const { body } = await surely(served, 'GET', `/api/work/items/${id}`)
    expect(body.item.state).toBe('submitted')
  }

  await until(async () => (await workersOf(served)).length === 2, 'another worker takes its place')
  expect(served.log()).toContain('ended (SIGKILL); another takes its place')
  const pids = await workersOf(served)
  await until(async () => {
    // Connections are dealt out in turn: of two proposals in a row each worker plans one.
    for (const { id } of [await propose(served, 1), await propose(served, 1)]) {
      const { body } = await surely(served, 'POST', `/api/work/orders/${id}/checkout`, {})
      planners.add(body.item.input.plannedBy)
    }
    return pids.every((pid) => planners.has(pid))
  }, 'both workers have planned')

  // Whichever worker is asked tells the numbers of both.
  const { status, body } = await surely(served, 'GET', '/metrics')
  expect(status).toBe(200)
  const told = new Set(
    [...(body as string).matchAll(/^work_manager_nodejs_eventloop_lag_seconds\{worker="(\d+)"\}/gm)].map(([, worker]) => worker),
  )
  expect(told.size).toBe(2)
})

test('SIGTERM ends the workers and then the primary, with code 0', async () => {
  const served = await serve('--workers', '2')
  const pids = await workersOf(served)
  served.child.kill('SIGTERM')
  expect(await served.ended).toBe(0)
  expect(pids.some(isAlive)).toBe(false)
})

test('a primary that is killed takes its workers and PostgreSQL along', async () => {
  const served = await serve('--workers', '2')
  const pids = await workersOf(served)
  const postgres = Number((await readFile(path.join(served.cwd, '.work-manager', 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0])
  expect([...pids, postgres].every(isAlive)).toBe(true)
  served.child.kill('SIGKILL')
  await until(async () => ![...pids, postgres].some(isAlive), 'every process has ended')
})

test('workers that end again and again end the server with a clear message', async () => {
  const served = await serve('--workers', '2')
  await writeFile(path.join(served.cwd, 'broken'), '')
  process.kill((await workersOf(served))[0]!, 'SIGKILL')
  expect(await served.ended).toBe(8)
  expect(served.log()).toMatch(/error\[worker_failed\]: Worker \d ended again and again, the last time by .*the order types are broken/s)
}, 120_000)

test('a number of workers that cannot be is refused, with what is accepted', async () => {
  await expect(serve('--workers', '0')).rejects.toThrow(
    /server\.workers \(--workers\) is 0; accepted: a whole number from 1 to 64, or auto/,
  )
  await expect(serve('--workers', 'many')).rejects.toThrow(/server\.workers \(--workers\) is 'many'/)
  await expect(serve('--workers', '64')).rejects.toThrow(
    /too_many_workers.*64 workers need at least 384 connections.*fix: Set server\.workers/s,
  )
})
