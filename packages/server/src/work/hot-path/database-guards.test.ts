/** What the database itself refuses, whoever asks: moves that no machine knows, rewritten events, columns that never change, other tenants. */
import { allowedFrom, itemStates, orderStates } from '@work-manager/contract'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Caller, startTestServer, type TestServer } from '../../../testing/test-server.ts'
import { essay, essayType } from '../../../testing/essay-type.ts'

let server: TestServer
let admin: pg.Client
let runtime: pg.Client
let proposer: Caller
let agent: Caller
let orderId: string
let itemId: string
let tenantId: string

beforeAll(async () => {
  server = await startTestServer({ types: [essayType], background: false })
  proposer = await server.caller('service', 'crm')
  agent = await server.caller('agent', 'robin')
  const proposed = await proposer.post('/propose', { type: 'test.essay', payload: { titles: ['one'] } })
  orderId = proposed.body.order.id
  const { item } = (await agent.post('/checkout', {})).body
  itemId = item.id
  await agent.post(`/items/${itemId}/submit`, { lease_token: item.lease_token, result: essay })
  const rita = await server.caller('person', 'rita')
  expect((await rita.post(`/orders/${orderId}/reject`, { errors: [{ field: 'body', code: 'dull', message: 'Dull.' }] })).status).toBe(200)
  await server.run('sequencer')
  tenantId = (await server.database.sql<{ tenant_id: string }>('select tenant_id from wm.orders'))[0]!.tenant_id
  admin = new pg.Client({ connectionString: server.database.adminUrl })
  runtime = new pg.Client({ connectionString: server.database.runtimeUrl })
  await admin.connect()
  await runtime.connect()
})
afterAll(async () => {
  await admin.end()
  await runtime.end()
  await server.stop()
})

interface Refusal {
  readonly code: string
  readonly constraint?: string
  readonly message: string
}
/** The refusal of a statement, or null when it passed; whatever it did is rolled back. */
async function attempt(client: pg.Client, statements: string[]): Promise<Refusal | null> {
  await client.query('begin')
  try {
    for (const statement of statements) await client.query(statement)
    return null
  } catch (error) {
    return error as Refusal
  } finally {
    await client.query('rollback')
  }
}

const lease = `lease_token = 't', leased_by_agent_id = 'a', leased_by_principal = 'p', lease_expires_at = now()`
const noLease = 'lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null'
/** What else the columns must say in this state, so that only the machine can object. */
const orderColumns = (state: string) =>
  `state = '${state}', approval_id = ${['approved', 'applied', 'completed'].includes(state) ? `'${'0'.repeat(8)}-0000-7000-8000-${'0'.repeat(12)}'` : 'null'}`
const itemColumns = (state: string) =>
  `state = '${state}', available_at = null, ${state === 'leased' || state === 'in_progress' ? lease : noLease}`
/** Past the triggers: only a superuser can, and only so. */
const put = (table: string, columns: string) => [
  `set local session_replication_role = replica`,
  `update wm.${table} set ${columns}`,
  `set local session_replication_role = origin`,
]

describe.each([
  { machine: 'order' as const, table: 'orders', states: orderStates as string[], columns: orderColumns },
  { machine: 'item' as const, table: 'items', states: itemStates as string[], columns: itemColumns },
])('the $machine machine in the database, for a superuser, too', ({ machine, table, states, columns }) => {
  const pairs = states.flatMap((from) =>
    states.filter((to) => to !== from).map((to) => ({ from, to, legal: allowedFrom(machine, from).includes(to) })),
  )

  it(`allows its ${pairs.filter((pair) => pair.legal).length} legal moves and refuses the other ${pairs.filter((pair) => !pair.legal).length}`, async () => {
    const wrong: unknown[] = []
    for (const { from, to, legal } of pairs) {
      const refusal = await attempt(admin, [...put(table, columns(from)), `update wm.${table} set ${columns(to)}`])
      const asExpected = legal ? refusal === null : refusal?.constraint === `${machine}_state_machine` && refusal.code === '23514'
      if (!asExpected) wrong.push({ from, to, legal, refusal: refusal && { code: refusal.code, message: refusal.message } })
    }
    expect(wrong).toEqual([])
  })

  it('knows no other states, and nothing is born in the middle', async () => {
    expect(await attempt(admin, [...put(table, columns('queued')), `update wm.${table} set state = 'done'`])).toMatchObject({
      constraint: `${machine}_state_machine`,
    })
    const { rows } = await admin.query<{ names: string }>(
      `select string_agg(quote_ident(column_name), ', ') as names from information_schema.columns
        where table_schema = 'wm' and table_name = $1 and is_generated = 'NEVER'`,
      [table],
    )
    const { names } = rows[0]!
    for (const state of states.filter((one) => one !== 'queued')) {
      const copy = `insert into wm.${table} (${names}) select ${names} from (select (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(), 'ordinal', 999, 'state', '${state}'))).* from wm.${table} r) made`
      expect(await attempt(admin, [copy]), state).toMatchObject({ constraint: `${machine}_state_machine` })
    }
  })
})

describe('events cannot be rewritten, not even by a superuser', () => {
  it.each(['events', 'submissions', 'approvals'])('wm.%s', async (table) => {
    const [row] = (await admin.query<{ n: number }>(`select count(*)::int as n from wm.${table}`)).rows
    expect(row!.n, 'there is something to protect').toBeGreaterThan(0)
    for (const statement of [`update wm.${table} set tenant_id = tenant_id`, `delete from wm.${table}`, `truncate wm.${table}`])
      expect(await attempt(admin, [statement]), statement).toMatchObject({ code: '23001' })
  })

  it('what waits for its number is as safe: only numbering takes it out', async () => {
    await admin.query(`insert into wm.intake (tenant_id, kinds, decided_at) values ($1, '{order.stale}', now())`, [tenantId])
    for (const statement of ['update wm.intake set kinds = kinds', 'delete from wm.intake', 'truncate wm.intake'])
      expect(await attempt(admin, [statement]), statement).toMatchObject({ code: '23001' })
  })

  it('nor one partition at a time', async () => {
    const { rows } = await admin.query<{ name: string }>(
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'wm.events'::regclass`,
    )
    expect(rows.length).toBeGreaterThan(1)
    for (const { name } of rows) expect(await attempt(admin, [`truncate ${name}`]), name).toMatchObject({ code: '23001' })
    const { rows: full } = await admin.query<{ name: string }>('select distinct tableoid::regclass::text as name from wm.events')
    for (const { name } of full)
      for (const statement of [`update ${name} set message = 'x'`, `delete from ${name}`])
        expect(await attempt(admin, [statement]), statement).toMatchObject({ code: '23001' })
  })
})

describe('the role that the server runs under', () => {
  const asApp = (tenant: string | null, ...statements: string[]) =>
    attempt(runtime, ['set local role wm_app', ...(tenant ? [`set local wm.tenant_id = '${tenant}'`] : []), ...statements])

  it.each([
    ['the payload of an order', `update wm.orders set payload = '{}'`],
    ['the type of an order', `update wm.orders set type = 'other'`],
    ['who asked for it', `update wm.orders set requested_by_principal = 'person:mallory'`],
    ['the tenant of an order', `update wm.orders set tenant_id = gen_random_uuid()`],
    ['the input of an item', `update wm.items set input = '{}'`],
    ['the limit of attempts', `update wm.items set max_attempts = 1000`],
    ['a submission', `update wm.submissions set result = '{}'`],
    ['a part', `update wm.parts set status = 'validated'`],
    ['a decision', `update wm.approvals set digest = 'x'`],
    ['an event', `update wm.events set message = 'x'`],
    ['the fingerprint of a kept answer', `update wm.idempotency set fingerprint = ''`],
    ['the abilities of a key', `update wm.api_keys set abilities = '{admin:*}'`],
    ['the lease epoch', 'update wm.cluster set epoch = 0'],
  ])('cannot change %s', async (_what, statement) => {
    expect(await asApp(tenantId, statement)).toMatchObject({ code: '42501' })
  })

  it.each([
    ['an order', 'delete from wm.orders'],
    ['an item', 'delete from wm.items'],
    ['an event', 'delete from wm.events'],
    ['all events', 'truncate wm.events'],
    ['a kept answer', 'delete from wm.idempotency'],
  ])('cannot delete %s', async (_what, statement) => {
    expect(await asApp(tenantId, statement)).toMatchObject({ code: '42501' })
  })

  it('cannot number events: the record is the sequencer’s', async () => {
    const forged = `insert into wm.events (tenant_id, seq, id, subject_type, kind, priority, decided_at, sequenced_at, hash_version, hash)
      values ('${tenantId}', 999, gen_random_uuid(), 'order', 'order.approved', 0, now(), now(), 2, '')`
    expect(await asApp(tenantId, forged)).toMatchObject({ code: '42501' })
    expect(await asApp(tenantId, 'delete from wm.intake')).toMatchObject({ code: '42501' })
    expect(await asApp(tenantId, 'update wm.ledger_heads set seq = 0')).toMatchObject({ code: '42501' })
  })

  it('reads nothing without a tenant, an emptied tenant or another tenant, and everything of its own', async () => {
    const { id: other } = await server.manager.tenants.ensure('globex', 'Globex')
    const countAs = async (tenant: string | null, table: string): Promise<number> => {
      await runtime.query('begin')
      await runtime.query('set local role wm_app')
      if (tenant !== null) await runtime.query(`select set_config('wm.tenant_id', $1, true)`, [tenant])
      const { rows } = await runtime.query<{ n: number }>(`select count(*)::int as n from wm.${table}`)
      await runtime.query('rollback')
      return rows[0]!.n
    }
    for (const table of ['orders', 'items', 'submissions', 'approvals', 'events', 'api_keys', 'provenance', 'idempotency', 'tenants']) {
      expect(await countAs(tenantId, table), table).toBeGreaterThan(0)
      expect(await countAs(null, table), table).toBe(0)
      expect(await countAs('', table), table).toBe(0)
      if (table !== 'tenants') expect(await countAs(other, table), table).toBe(0)
    }
  })

  it('cannot write into another tenant', async () => {
    const { id: other } = await server.manager.tenants.ensure('globex', 'Globex')
    const insert = `insert into wm.intake (tenant_id, kinds, decided_at) values ('${tenantId}', '{order.applied}', now())`
    expect(await asApp(tenantId, insert)).toBeNull()
    expect(await asApp(other, insert)).toMatchObject({ code: '42501' })
    expect(await asApp(null, insert)).toMatchObject({ code: '42501' })
  })

  it('a hot statement leaves no tenant behind on its pooled connection', async () => {
    const asked = JSON.stringify([{ slot: 0, item_id: itemId, agent_id: 'robin', principal: 'agent:robin', token: 'x', random: 'x' }])
    await runtime.query('set role wm_app')
    for (const [call, values] of [
      ['wm.heartbeat_items($1, $2)', [tenantId, asked]],
      ['wm.submit_items($1, 60, $2)', [tenantId, asked]],
      [`wm.lease_items($1, '{"epoch":1,"heartbeat_every":20}', $2)`, [tenantId, asked]],
    ] as const) {
      await runtime.query(`select * from ${call}`, [...values])
      const { rows } = await runtime.query(
        `select nullif(current_setting('wm.tenant_id', true), '') as tenant, (select count(*)::int from wm.orders) as orders`,
      )
      expect(rows, call).toEqual([{ tenant: null, orders: 0 }])
    }
    await runtime.query('reset role')
  })

  it('every table with a tenant has row security, forced', async () => {
    const { rows } = await admin.query(
      `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'wm' and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
          and exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')`,
    )
    expect(rows).toEqual([])
  })
})
