/** One key cannot end the server for everybody: a small heap, callers who ask for much and read nothing. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import Type from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cleanEnvironment, cliProgram } from '../../../testing/run-cli.ts'
import { type Caller, createCaller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'
import { documentDigest } from '../../work/approvals/digest.ts'
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
const many = defineOrderType({
  type: 'test.many',
  payload: Type.Object({ items: Type.Integer() }),
  input: Type.Object({ n: Type.Integer() }),
  result: Type.Object({ blob: Type.String() }),
  plan: ({ payload }) => Array.from({ length: payload.items }, (_, n) => ({ input: { n } })),
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
  server = await startTestServer({ types: [bulky, many], background: false })
  attacker = await server.caller('agent', 'attacker')
  bystander = await server.caller('agent', 'bystander')
  for (let n = 0; n < 4; n++) expect((await attacker.post('/propose', { type: 'test.bulky', payload: { blob } })).status).toBe(201)
  child = spawn(process.execPath, ['--max-old-space-size=256', cliProgram, 'serve', '--port', '0'], {
    env: { ...cleanEnvironment, DATABASE_URL: server.database.runtimeUrl, WORK_MANAGER_LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  url = await until(async () => /ready at (http:\S+)/.exec(said)?.[1], 'the small server is ready')
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

test('the attack of four large proposals and 40 connections: another agent takes, keeps and hands in work meanwhile, at the small server', async () => {
  const other = createCaller(url, bystander.key, 'bystander')
  const record = { data: { slug: 'a', name: 'A' } }
  const proposed = await other.post('/propose', { type: 'database.record.insert', payload: { table: 'tags', records: [record] } })
  expect(proposed.status, proposed.text).toBe(201)
  const requests = get('/api/work/orders?page%5Bsize%5D=100', attacker.key).repeat(8)
  const sockets = await Promise.all(Array.from({ length: 40 }, () => sendsAndNeverReads(requests)))
  try {
    const taken = await other.post('/checkout', { type: 'database.record.insert' })
    expect(taken.status, taken.text).toBe(200)
    const { id, lease_token } = taken.body.item
    for (let n = 0; n < 5; n++) expect((await other.post(`/items/${id}/heartbeat`, { lease_token })).status).toBe(200)
    const result = { records: [record], verification: { checked: true, valid: true } }
    const handedIn = await other.post(`/items/${id}/submit`, { lease_token, result })
    expect(handedIn.status, handedIn.text).toBe(202)
    expect([child.exitCode, child.signalCode], said).toEqual([null, null])
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})

test('an order of large results is read by many at a time, with its digest, at the small server', async () => {
  const items = 60
  const { body } = await attacker.post('/propose', { type: 'test.many', payload: { items } })
  const order = body.order.id as string
  // As handed in one by one, in less time.
  await server.database.sql(
    `set session_replication_role = replica;
     insert into wm.submissions (tenant_id, id, order_id, item_id, number, result, digest, submitted_by_agent_id, submitted_by_principal, generation, decided_at)
       select i.tenant_id, gen_random_uuid(), i.order_id, i.id, 1, json_build_object('blob', repeat('x', 800000)), 'sha256:0', 'a', 'a', 1, now()
         from wm.items i where i.order_id = '${order}';
     update wm.items set state = 'submitted', submission_number = 1 where order_id = '${order}';
     update wm.orders set state = 'submitted', items_submitted = ${items} where id = '${order}';
     set session_replication_role = origin`,
  )
  // Each has room for two answers at a time.
  const names = ['reader-1', 'reader-2', 'reader-3', 'reader-4']
  const readers = await Promise.all(names.map(async (name) => createCaller(url, (await server.caller('agent', name)).key, name)))
  const shown = await Promise.all([...readers, ...readers].map((reader) => reader.get(`/orders/${order}`)))
  for (const answer of shown) {
    expect(answer.status, answer.text.slice(0, 300)).toBe(200)
    expect(answer.body.order.items.length + answer.body.order.items_omitted).toBe(items)
  }
  expect([child.exitCode, child.signalCode], said).toEqual([null, null])
  // What approve takes for the same order.
  const [tenant] = await server.database.sql('select tenant_id from wm.orders where id = $1', [order])
  const document = await server.database.sql(
    `select i.id, i.ordinal, i.state, i.input, s.result, s.evidence, s.notes from wm.items i join wm.submissions s on s.item_id = i.id where i.order_id = $1`,
    [order],
  )
  const { id, type, type_version: typeVersion, priority, payload, meta, revision } = shown[0]!.body.order
  const digest = documentDigest({
    order: { id, tenantId: tenant!['tenant_id'] as string, type, typeVersion, priority, payload, meta, revision },
    items: document as never,
  })
  expect(shown.map((answer) => answer.body.order.digest)).toEqual(Array.from({ length: 8 }, () => digest))
})
