/** Two tenants, every operation, every id: what belongs to somebody else answers like what never existed, and nothing of theirs changes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { uuidv7 } from 'uuidv7'
import { cases, type Input, partsType, propose, type Side } from '../testing/tenancy-cases.ts'
import { type Answer, startTestServer, type TestServer } from '../testing/test-server.ts'
import { echoType } from '../testing/echo-type.ts'
import { operations } from './systems.ts'
import type { Operation } from './kernel/operations/operation.ts'

interface Node {
  readonly format?: string
  readonly type?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly items?: Node
  readonly anyOf?: readonly Node[]
}

/** Where the input holds ids: `['order']`, `['items', '0']`, `['errors', '0', 'item_id']`. */
function idPaths(node: Node, at: readonly string[] = []): string[][] {
  if (node.format === 'uuid') return [[...at]]
  return [
    ...Object.entries(node.properties ?? {}).flatMap(([name, member]) => idPaths(member, [...at, name])),
    ...(node.items ? idPaths(node.items, [...at, '0']) : []),
    ...(node.anyOf ?? []).flatMap((one) => idPaths(one, at)),
  ]
}
const arguments_ = operations.flatMap((operation) =>
  idPaths(operation.input as unknown as Node).map((path) => ({ operation, name: operation.name, argument: path.join('.'), path })),
)

const valueAt = (input: unknown, path: readonly string[]): unknown => path.reduce<unknown>((node, step) => (node as Input)[step], input)
function withValue(input: Input, path: readonly string[], value: unknown): Input {
  const copy = structuredClone(input)
  const parent = valueAt(copy, path.slice(0, -1)) as Input
  parent[path.at(-1)!] = value
  return copy
}

function call(side: Side, operation: Operation, input: Input): Promise<Answer> {
  const { method, path } = operation.http
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name!)
  const target = path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(input[name])))
  const rest = Object.fromEntries(Object.entries(input).filter(([name]) => !inPath.includes(name)))
  const agentMay = /^work:(view|checkout|heartbeat|submit|propose)$/.test(operation.ability)
  const caller = agentMay ? side.agent : side.person
  if (method === 'POST') return caller.post(target, rest)
  const query = new URLSearchParams(Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, String(value)])))
  return caller.get(query.size > 0 ? `${target}?${query}` : target)
}

/** Everything the caller sees, but for ids and times. */
function seen(answer: Answer): string {
  const headers = [...answer.headers].filter(([name]) => name !== 'date').map(([name, value]) => `${name}: ${value}`)
  return [answer.status, ...headers, answer.text]
    .join('\n')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '<id>')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
}

let server: TestServer
let mine: Side
let theirs: Side
const own: Record<string, Input> = {}
const foreign: Record<string, Input> = {}
let before: Record<string, string>

async function openSide(tenant: string, mark: string): Promise<Side> {
  // The same agent id on both sides: equal names must not meet.
  return {
    mark,
    agent: await server.caller('agent', 'agent-1', { tenant }),
    person: await server.caller('person', `rita-${mark}`, { tenant }),
  }
}

/** A hash of every row of the tenant, by table. */
async function exportOf(slug: string): Promise<Record<string, string>> {
  const tables = await server.database.sql<{ name: string }>(`
    select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
     where n.nspname = 'wm' and c.relkind in ('r', 'p') and not c.relispartition order by 1`)
  const hashes: Record<string, string> = {}
  for (const { name } of tables) {
    const [row] = await server.database.sql<{ hash: string }>(
      `select count(*) || ' rows ' || encode(sha256(convert_to(coalesce(string_agg(t::text, E'\\n' order by t::text), ''), 'UTF8')), 'hex') as hash
         from wm.${name} t where tenant_id = (select id from wm.tenants where slug = $1)`,
      [slug],
    )
    hashes[name] = row!.hash
  }
  return hashes
}

beforeAll(async () => {
  server = await startTestServer({ types: [echoType, partsType], background: false, config: { approval: { wait_ms: 100 } } })
  mine = await openSide('acme', 'mark-of-acme')
  theirs = await openSide('globex', 'mark-of-globex')
  for (const [name, prepare] of Object.entries(cases)) {
    own[name] = await prepare(mine)
    foreign[name] = await prepare(theirs)
  }
  // Their side also has an applied order, so that records, effects and a ledger are there to leak.
  const { order } = await cases.approve_order!(theirs)
  expect((await theirs.person.post(`/orders/${order}/approve`)).status).toBe(202)
  for (const service of ['applier', 'effect-runner', 'sequencer']) await server.run(service)
  before = await exportOf('globex')
})
afterAll(() => server.stop())

it('the matrix has a case for every operation that takes an id', () => {
  expect(arguments_.filter(({ name }) => !cases[name]).map(({ name }) => name)).toEqual([])
  expect(arguments_.length).toBeGreaterThan(20)
})

describe.each(arguments_)('$name with the $argument of another tenant', ({ operation, name, path }) => {
  it('answers like an id that never existed, and works with one of its own', async () => {
    const absentId = uuidv7()
    // Where the id is the subject, everything else comes from the other tenant too, lease tokens and all.
    const base = path.length === 1 ? foreign[name]! : own[name]!
    const other = await call(mine, operation, withValue(base, path, valueAt(foreign[name], path)))
    const absent = await call(mine, operation, withValue(base, path, absentId))
    expect(seen(other)).toBe(seen(absent))
    if (other.status >= 400) expect(other.body.code).toBe(absent.body.code)
    else expect(other.text).not.toContain(theirs.mark)
  })
})

it.each(Object.keys(cases))('%s works with what is its own, so the refusals above meant something', async (name) => {
  const operation = operations.find((one) => one.name === name)!
  const answer = await call(mine, operation, own[name]!)
  expect([operation.http.success, 202], answer.text).toContain(answer.status)
  if (name === 'list_items' || name === 'list_provenance') expect(answer.text).toContain(Object.values(own[name]!)[0])
})

describe('looking for names and values of another tenant', () => {
  it.each([
    ['list_orders', 'id', () => foreign.get_order!.order],
    ['list_orders', 'filter[id]', () => foreign.get_order!.order],
    ['list_orders', 'filter[meta]', () => `label:${theirs.mark}`],
    ['list_events', 'principal', () => `person:rita-${theirs.mark}`],
    ['list_provenance', 'agent_id', () => `rita-${theirs.mark}`],
    ['list_records', 'collection', () => 'echo'],
  ])('%s by %s finds what it finds of one that never existed', async (name, member, value) => {
    const operation = operations.find((one) => one.name === name)!
    const absent = {
      id: uuidv7(),
      'filter[id]': uuidv7(),
      'filter[meta]': 'label:never-was-that',
      principal: 'person:never-was-that',
      agent_id: 'never-was-that',
      collection: 'none',
    }[member]
    const blank = (answer: Answer, given: unknown) =>
      seen(answer)
        .replaceAll(encodeURIComponent(String(given)), '<value>')
        .replaceAll(/content-length: \d+/g, '')
    expect(blank(await call(mine, operation, { [member]: value() }), value())).toBe(
      blank(await call(mine, operation, { [member]: absent }), absent),
    )
  })

  it.each(operations.filter(({ http }) => http.method === 'GET').map((operation) => ({ operation, name: operation.name })))(
    '$name shows nothing of theirs',
    async ({ operation, name }) => {
      const more = (
        { list_orders: { include: 'items,events,effects', limit: 100 }, list_records: { collection: 'echo' } } as Record<string, Input>
      )[name]
      const answer = await call(mine, operation, more ?? own[name] ?? {})
      expect(answer.status, answer.text).toBe(200)
      expect(answer.text).not.toContain(theirs.mark)
      for (const input of Object.values(foreign))
        for (const id of Object.values(input)) if (typeof id === 'string' && id.length > 30) expect(answer.text).not.toContain(id)
    },
  )
})

describe('keys and cursors', () => {
  it('one idempotency key used by both tenants is two keys', async () => {
    const key = uuidv7()
    const body = { type: 'test.echo', payload: { messages: ['same'] } }
    const first = await mine.agent.post('/propose', body, { key })
    const second = await server.caller('agent', 'agent-1', { tenant: 'initech' }).then((agent) => agent.post('/propose', body, { key }))
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.headers.get('idempotent-replayed')).toBeNull()
    expect(second.body.order.id).not.toBe(first.body.order.id)
  })

  it.each(operations.filter(({ input }) => 'cursor' in input.properties).map((operation) => ({ operation, name: operation.name })))(
    '$name refuses a cursor of another tenant',
    async ({ operation, name }) => {
      const stranger = await openSide('initech', 'mark-of-initech')
      const order = await propose(mine)
      await propose(mine)
      // A second record for the one list that only applied orders fill.
      await server.database.sql(
        `insert into wm.records select id, 'cursors', k, '1', gen_random_uuid(), now() from wm.tenants, unnest(array['a', 'b']) k where slug = 'acme' on conflict do nothing`,
      )
      // And two messages that a receiver refused.
      await server.database.sql(
        `insert into wm.parked_messages (tenant_id, publisher, seq, state, event_id, kind, reason, tries, first_refused_at, last_refused_at)
         select id, 'file', n, 'parked', gen_random_uuid(), 'order.stale', 'too large', 1, now(), now() from wm.tenants, generate_series(1, 2) n where slug = 'acme' on conflict do nothing`,
      )
      const [item] = (await mine.agent.get(`/items?order=${order}`)).body.data
      const subject: Record<string, Input> = {
        get_order_logs: { order },
        get_item_logs: { item: item.id },
        list_records: { collection: 'cursors' },
        list_orders: { cursor: 'start' },
      }
      const page = await call(mine, operation, { limit: 1, ...subject[name] })
      expect(page.body.next_cursor, page.text).toBeTypeOf('string')
      const used = await call(stranger, operation, { limit: 1, ...subject[name], cursor: page.body.next_cursor })
      expect([used.status, used.body.code]).toEqual([400, 'cursor_invalid'])
      expect((await call(mine, operation, { limit: 1, ...subject[name], cursor: page.body.next_cursor })).status).toBe(200)
    },
  )
})

it('nothing that one tenant did changed a single row of the other', async () => {
  await server.run('sequencer')
  const after = await exportOf('globex')
  expect(after).toEqual(before)
  for (const table of ['orders', 'items', 'events', 'records', 'effects', 'api_keys', 'idempotency'])
    expect(after[table], table).not.toMatch(/^0 rows/)
})
