/** Two tenants, every operation, every id: what belongs to somebody else answers like what never existed, and nothing of theirs changes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { uuidv7 } from 'uuidv7'
import { callerOf, type Input, loadCases, openSide as open, requestOf, send, type Side } from '../testing/cases.ts'
import { partsType } from '../testing/parts-type.ts'
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

const { cases } = await loadCases()
const prepared = Object.entries(cases).flatMap(([name, { call: prepare }]) => (prepare ? [{ name, prepare }] : []))

const call = (side: Side, operation: Operation, input: Input): Promise<Answer> =>
  send(callerOf(side, cases[operation.name]!), requestOf(operation, input))

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

const openSide = (tenant: string, mark: string): Promise<Side> => open(server, tenant, mark)

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
  for (const { name, prepare } of prepared) {
    own[name] = await prepare(mine)
    foreign[name] = await prepare(theirs)
  }
  await server.run('sequencer')
  before = await exportOf('globex')
})
afterAll(() => server.stop())

it('the matrix has a case for every operation that takes an id', () => {
  expect(
    arguments_.filter(({ name }) => !cases[name]?.call).map(({ name }) => name),
    'add `call` to `cases.ts` of their noun',
  ).toEqual([])
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

it.each(prepared.map(({ name }) => name))('%s works with what is its own, so the refusals above meant something', async (name) => {
  const operation = operations.find((one) => one.name === name)!
  const answer = await call(mine, operation, own[name]!)
  expect([operation.http.success, 202], answer.text).toContain(answer.status)
  // A list that an id in the query narrows shows it, so that an empty answer to somebody else's means something.
  const { method, path } = operation.http
  const id = idPaths(operation.input as unknown as Node).find(([member]) => !path.includes(`:${member}`))
  if (method === 'GET' && id) expect(answer.text).toContain(valueAt(own[name]!, id))
})

describe('looking for names and values of another tenant', () => {
  it.each(Object.entries(cases).flatMap(([name, { search }]) => (search ? [{ name, search }] : [])))(
    '$name finds what it finds of one that never existed',
    async ({ name, search }) => {
      const operation = operations.find((one) => one.name === name)!
      const blank = (answer: Answer, given: string) =>
        seen(answer)
          .replaceAll(encodeURIComponent(given), '<value>')
          .replaceAll(/content-length: \d+/g, '')
      const ask = async (member: string, value: string) => blank(await call(mine, operation, { [member]: value }), value)
      const searches = search(theirs, (verb) => foreign[verb]!)
      expect(searches.length).toBeGreaterThan(0)
      for (const { member, value, absent } of searches) expect(await ask(member, value), member).toBe(await ask(member, absent))
    },
  )

  it.each(operations.filter(({ http }) => http.method === 'GET').map((operation) => ({ operation, name: operation.name })))(
    '$name shows nothing of theirs',
    async ({ operation, name }) => {
      const answer = await call(mine, operation, own[name] ?? {})
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

  const paged = operations.filter(({ input }) => 'cursor' in input.properties)
  it('the matrix has pages of every list that goes by cursor', () => {
    expect(paged.filter(({ name }) => !cases[name]?.pages).map(({ name }) => name)).toEqual([])
  })

  it.each(paged.map((operation) => ({ operation, name: operation.name })))(
    '$name refuses a cursor of another tenant',
    async ({ operation, name }) => {
      const stranger = await openSide('initech', 'mark-of-initech')
      const input = { limit: 1, ...(await cases[name]!.pages!(mine)) }
      const page = await call(mine, operation, input)
      expect(page.body.next_cursor, page.text).toBeTypeOf('string')
      const used = await call(stranger, operation, { ...input, cursor: page.body.next_cursor })
      expect([used.status, used.body.code]).toEqual([400, 'cursor_invalid'])
      expect((await call(mine, operation, { ...input, cursor: page.body.next_cursor })).status).toBe(200)
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
