/** One key cannot end the server for everybody: a small heap, callers who ask for much and read nothing. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import Type from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cleanEnvironment, cliProgram } from '../../../testing/run-cli.ts'
import { type Caller, createCaller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'
import { defineOrderType } from '../../work/order-types/define-order-type.ts'
import { pageBytes } from '../../kernel/store/page-budget.ts'

const bulky = defineOrderType({
  type: 'test.bulky',
  payload: Type.Object({ blob: Type.String() }),
  input: Type.Object({ blob: Type.String() }),
  result: Type.Object({ blob: Type.String() }),
  plan: ({ payload }) => [{ input: payload }],
  apply: async (context) => context.diff({}, {}, 'nothing'),
})
const blob = 'x'.repeat(800_000)

let server: TestServer
let child: ChildProcess
let url: string
let attacker: Caller
let bystander: Caller
let said = ''

beforeAll(async () => {
  server = await startTestServer({ types: [bulky], background: false })
  attacker = await server.caller('agent', 'attacker')
  bystander = await server.caller('agent', 'bystander')
  for (let n = 0; n < 4; n++) expect((await attacker.post('/propose', { type: 'test.bulky', payload: { blob } })).status).toBe(201)
  child = spawn(process.execPath, ['--max-old-space-size=256', cliProgram, 'serve', '--port', '0'], {
    env: { ...cleanEnvironment, DATABASE_URL: server.database.runtimeUrl, WORK_MANAGER_LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  url = await until(async () => /ready at (http:\S+)/.exec(said)?.[1], 'the small server is ready', 60_000)
})
afterAll(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  await server.stop()
})

/** Opens a connection that sends `requests` and never reads. */
async function sendsAndNeverReads(requests: string): Promise<net.Socket> {
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.pause()
  socket.write(requests)
  return socket
}
const get = (path: string, key: string): string => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${key}\r\n\r\n`
const tool = (name: string, given: object, key: string): string => {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: given } })
  return `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

test.each([
  ['lists of orders', (key: string) => get('/api/work/orders?page%5Bsize%5D=100', key)],
  ['lists of items', (key: string) => get('/api/work/items?limit=100', key)],
  ['the record', (key: string) => get('/api/work/ledger?limit=1000', key)],
  ['tools over MCP', (key: string) => tool('work_list', {}, key)],
  ['public documents', () => get('/openapi.json', 'none')],
])(
  '40 connections with eight requests each that are never read: %s',
  async (_, request) => {
    const sockets = await Promise.all(Array.from({ length: 40 }, () => sendsAndNeverReads(request(attacker.key).repeat(8))))
    try {
      const other = createCaller(url, bystander.key, 'bystander')
      // What the others ask is answered meanwhile, whatever it costs.
      for (let n = 0; n < 20; n++) {
        const { status } = await other.get('/orders?cursor=start')
        expect(status, said).toBe(200)
      }
      expect([child.exitCode, child.signalCode], said).toEqual([null, null])
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  },
  60_000,
)

test('a page by cursor ends where its bytes do, and the cursor goes on to every row', async () => {
  const seen: string[] = []
  for (let cursor: string | null = 'start'; cursor !== null;) {
    const page = await attacker.get(`/orders?limit=100&cursor=${encodeURIComponent(cursor)}`)
    expect(page.status).toBe(200)
    expect(page.text.length).toBeLessThan(pageBytes * 1.1)
    seen.push(...page.body.data.map((order: { id: string }) => order.id))
    cursor = page.body.next_cursor
  }
  expect(seen).toHaveLength(4)
  expect(new Set(seen).size).toBe(4)
})

test('a numbered page shows every row, those without room without their documents', async () => {
  const page = await attacker.get('/orders?page%5Bsize%5D=100')
  expect(page.text.length).toBeLessThan(pageBytes * 1.1)
  expect(page.body.data).toHaveLength(4)
  const bare = page.body.data.filter((order: { omitted?: string[] }) => order.omitted)
  expect(bare.length).toBeGreaterThan(0)
  for (const order of bare) {
    expect(order).toMatchObject({ type: 'test.bulky', items: [], items_omitted: 1, omitted: expect.arrayContaining(['payload']) })
    expect(order).not.toHaveProperty('payload')
  }
  const thin = await attacker.get('/orders?page%5Bsize%5D=100&fields%5Bwork_orders%5D=id,state')
  expect(thin.body.data.map((order: object) => Object.keys(order))).toContainEqual(expect.arrayContaining(['id', 'state']))
  expect(thin.body.data.filter((order: { omitted?: string[] }) => order.omitted)).toEqual([])
})

test.each(['/items?limit=100', '/ledger?limit=1000', '/events?limit=100'])('%s keeps to its bytes', async (path) => {
  const page = await attacker.get(path)
  expect(page.status).toBe(200)
  expect(page.text.length).toBeLessThan(pageBytes * 1.1)
})

test('an agent keeps and hands in what it holds while somebody else takes up all there is', async () => {
  const holder = createCaller(server.url, bystander.key, 'bystander')
  const taken = await holder.post('/checkout', { type: 'test.bulky' })
  expect(taken.status).toBe(200)
  const { id, lease_token } = taken.body.item
  const sockets = await Promise.all(
    Array.from({ length: 40 }, () => sendsAndNeverReads(get('/api/work/orders?page%5Bsize%5D=100', attacker.key).repeat(8))),
  )
  try {
    const small = createCaller(url, bystander.key, 'bystander')
    for (let n = 0; n < 10; n++) expect((await small.post(`/items/${id}/heartbeat`, { lease_token })).status).toBe(200)
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})
