import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { echoType } from '../../../testing/echo-type.ts'
import { closeGate } from '../../../testing/row-gate.ts'
import { type Answer, type Caller, startTestServer, type TestServer } from '../../../testing/test-server.ts'

let server: TestServer
let proposer: Caller
let agent: Caller
let theirProposer: Caller
let theirAgent: Caller

beforeAll(async () => {
  server = await startTestServer({ types: [echoType], background: false })
  proposer = await server.caller('service', 'crm')
  agent = await server.caller('agent', 'agent-1')
  theirProposer = await server.caller('service', 'crm', { tenant: 'globex' })
  theirAgent = await server.caller('agent', 'agent-1', { tenant: 'globex' })
})
afterAll(() => server.stop())

const propose = async (messages: string[], by = proposer): Promise<string> =>
  (await by.post('/propose', { type: 'test.echo', payload: { messages } })).body.order.id as string
const take = (by = agent) => by.post('/checkout', {}, { key: null })
const beat = (item: { id: string; lease_token: string }, by = agent) =>
  by.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { key: null })
const handIn = (item: { id: string; lease_token: string; input: { message: string } }, by = agent, key?: string): Promise<Answer> =>
  by.post(
    `/items/${item.id}/submit`,
    {
      lease_token: item.lease_token,
      result: { echoed: item.input.message, ok: true },
      evidence: [{ url: 'https://example.com/a', title: 'a "quoted" \\ line\nand another' }],
      notes: 'I, the agent, {am} "sure"\\',
    },
    key === undefined ? {} : { key },
  )
const verbs = ['lease_items', 'heartbeat_items', 'submit_items']
/** Without the statements of the verbs: whatever still works went through the window. */
async function windowsAlone<T>(work: () => Promise<T>): Promise<T> {
  for (const verb of verbs) await server.database.sql(`alter function wm.${verb} rename to ${verb}_away`)
  try {
    return await work()
  } finally {
    for (const verb of verbs) await server.database.sql(`alter function wm.${verb}_away rename to ${verb}`)
  }
}

describe('the clean cases', () => {
  it('need the statement of the window alone: checkout, heartbeats, submit, and a submit without a heartbeat', async () => {
    const order = await propose(['a', 'b'])
    await windowsAlone(async () => {
      const { item: first } = (await take()).body
      expect((await beat(first)).status).toBe(200)
      expect((await beat(first)).status).toBe(200)
      const one = await handIn(first)
      expect(one.status).toBe(202)
      expect(one.body).toMatchObject({
        state: 'submitted',
        order_state: 'in_progress',
        item: { submission_number: 1, evidence: [{ title: 'a "quoted" \\ line\nand another' }] },
      })
      const { item: second } = (await agent.post('/checkout', { type: 'test.echo' }, { key: null })).body
      const last = await handIn(second)
      expect(last.body).toMatchObject({
        state: 'submitted',
        order_state: 'submitted',
        item: { result: { echoed: 'b', ok: true }, leased_by_agent_id: null },
      })
    })
    // Reading numbers them.
    expect((await proposer.get(`/orders/${order}/logs`)).status).toBe(200)
    const rows = await server.database.sql<{ kind: string }>('select kind from wm.events where root_id = $1 order by seq', [order])
    expect(rows.map((row) => row.kind)).toEqual([
      'order.proposed',
      'order.planned',
      'item.leased',
      'order.checked_out',
      'item.in_progress',
      'order.in_progress',
      'item.submitted',
      'item.leased',
      'item.in_progress',
      'item.submitted',
      'order.submitted',
    ])
  })

  it('answer what the statements of the verbs answer, member by member', async () => {
    await propose(['a'])
    const { item } = (await take()).body
    await beat(item)
    await handIn(item)
    // Whatever may stand in the columns: texts with quotes, parts, documents, times, and none of them.
    await server.database.sql(
      `update wm.items set rework = '{"errors": ["\\"x\\""]}', error = '{"message": "q\\"q"}', parts_state = '{"a": 1}' where id = $1`,
      [item.id],
    )
    const rows = await server.database.sql<{ text: unknown; json: unknown; leased: unknown; leased_json: unknown }>(`
      select wm.item_text(i, s.result::text, s.evidence::text)::json as text, wm.item_json(i, s) as json,
             wm.leased_item_text(i, 15)::json as leased, wm.leased_item_json(i, 15) as leased_json
        from (select (x).* from (
                select i as x from wm.items i
                union all select jsonb_populate_record(i, '{"lease_token":"wl.1.1.x","lease_expires_at":"2026-01-01T00:00:00Z","leased_by_agent_id":"a \\"b\\"","parts_required":["p\\"1","p2"],"traceparent":"00-0"}') from wm.items i
                union all select jsonb_populate_record(i, '{"lease_token":"wl.1.1.x","lease_expires_at":"2026-01-01T00:00:00Z","available_at":"2026-01-01T00:00:00Z","accepted_at":"2026-01-01T00:00:00Z","type":"t\\"y"}') from wm.items i
              ) y) i
        join wm.submissions s on s.item_id = i.id`)
    expect(rows.length).toBeGreaterThan(2)
    for (const row of rows) expect(row.text).toEqual(row.json)
    for (const row of rows.filter((one) => one.leased !== null)) expect(row.leased).toEqual(row.leased_json)
    expect(rows.filter((one) => one.leased !== null).length).toBeGreaterThan(0)
  })
})

describe('what is not clean', () => {
  it('a repeat is answered with the kept bytes, a key used for another document is refused', async () => {
    await propose(['a', 'b'])
    const { item } = (await take()).body
    const first = await handIn(item, agent, 'key-1')
    const again = await handIn(item, agent, 'key-1')
    expect([first.status, again.status, again.text]).toEqual([202, 202, first.text])
    const { item: other } = (await take()).body
    const misused = await handIn(other, agent, 'key-1')
    expect(misused.body.code).toBe('idempotency_mismatch')
    expect((await handIn(other, agent, 'key-2')).status).toBe(202)
  })

  it('a stale token, a foreign item and an item that never was hear what they always heard', async () => {
    await propose(['a'])
    const { item } = (await take()).body
    expect((await beat({ ...item, lease_token: `${item.lease_token.slice(0, -3)}xyz` })).body.code).toBe('lease_lost')
    expect((await beat(item, theirAgent)).body.code).toBe('not_found')
    expect((await handIn(item, theirAgent)).body.code).toBe('not_found')
    expect((await handIn(item)).status).toBe(202)
    expect((await beat(item)).body.code).toBe('already_submitted')
  })

  it('large documents go apart, so that nobody waits while PostgreSQL reads them; their heartbeats do not', async () => {
    const large = randomBytes(8000).toString('hex')
    await propose([large])
    expect((await windowsAlone(() => take())).status).toBeGreaterThanOrEqual(500)
    const { item } = (await take()).body
    expect((await windowsAlone(() => beat(item))).status).toBe(200)
    expect((await windowsAlone(() => handIn(item))).status).toBeGreaterThanOrEqual(500)
    expect((await handIn(item)).status).toBe(202)

    await propose(['small'])
    const { item: small } = (await take()).body
    const submit = () =>
      agent.post(`/items/${small.id}/submit`, {
        lease_token: small.lease_token,
        result: { echoed: 'small', ok: true },
        evidence: Array.from({ length: 20 }, (_, n) => ({ url: `https://example.com/${n}`, title: 'x'.repeat(900) })),
      })
    expect((await windowsAlone(submit)).status).toBeGreaterThanOrEqual(500)
    expect((await submit()).status).toBe(202)
  })

  it('what is left of an order that is over is nobody’s, ready as it may look', async () => {
    const order = await propose(['a', 'left over'])
    const { item } = (await take()).body
    expect((await handIn(item)).status).toBe(202)
    await server.database.sql(`update wm.orders set state = 'failed', last_transitioned_at = now() where id = $1`, [order])
    expect(await server.database.sql('select state, ready from wm.items where order_id = $1 order by ordinal', [order])).toMatchObject([
      { state: 'submitted' },
      { state: 'queued', ready: true },
    ])
    expect((await take()).body.code).toBe('no_items_available')
    await propose(['alive'])
    expect((await take()).body.item.input).toEqual({ message: 'alive' })
    await server.database.sql(`update wm.items set state = 'cancelled' where order_id = $1 and state = 'queued'`, [order])
  })

  it('a tenant that is being paused holds up nobody else, and gets nothing once it is', async () => {
    await propose(['a'])
    await propose(['theirs'], theirProposer)
    const gate = await closeGate(
      server.database,
      `select pg_advisory_xact_lock(hashtextextended('wm.pauses|' || id::text, 0)) from wm.tenants where slug = 'globex'`,
    )
    const waiting = take(theirAgent)
    await gate.waiting()
    expect((await take()).status).toBe(200)
    await gate.open()
    expect((await waiting).status).toBe(200)
  })

  it('a tenant whose writes the database refuses does not spoil the window of another', async () => {
    const rounds = 8
    await propose(Array.from({ length: rounds }, (_, n) => `mine ${n}`))
    await propose(
      Array.from({ length: rounds }, (_, n) => `theirs ${n}`),
      theirProposer,
    )
    await server.database.sql(`
      create function public.refuse_theirs() returns trigger language plpgsql as $$
      begin
        if new.submitted_by_principal = 'agent:agent-1' and new.tenant_id = (select id from wm.tenants where slug = 'globex') then
          raise exception 'not today';
        end if;
        return new;
      end $$;
      grant select on wm.tenants to public;
      create trigger refuse_theirs before insert on wm.submissions for each row execute function public.refuse_theirs();`)
    const mine = await Promise.all(Array.from({ length: rounds }, async () => (await take()).body.item))
    const theirs = await Promise.all(Array.from({ length: rounds }, async () => (await take(theirAgent)).body.item))
    const answers = await Promise.all([...mine.map((item) => handIn(item)), ...theirs.map((item) => handIn(item, theirAgent))])
    expect(answers.slice(0, rounds).map((answer) => answer.status)).toEqual(mine.map(() => 202))
    expect(answers.slice(rounds).filter((answer) => answer.status === 202)).toEqual([])
    await server.database.sql('drop trigger refuse_theirs on wm.submissions; drop function public.refuse_theirs()')
    const after = await Promise.all(theirs.map((item) => handIn(item, theirAgent)))
    expect(after.map((answer) => answer.status)).toEqual(theirs.map(() => 202))
  })
})

describe('the role of the window', () => {
  let client: pg.Client
  beforeAll(async () => {
    client = new pg.Client({ connectionString: server.database.runtimeUrl })
    await client.connect()
    await client.query('set role wm_window')
  })
  afterAll(() => client.end())
  beforeEach(() => client.query(`select set_config('wm.window', '', false)`))
  const tenants = async (): Promise<string[]> =>
    (await client.query<{ id: string }>('select distinct tenant_id as id from wm.items')).rows.map((row) => row.id)
  const idOf = async (slug: string) =>
    (await server.database.sql<{ id: string }>('select id from wm.tenants where slug = $1', [slug]))[0]!.id

  it('sees no row unless the statement names its tenant, and then that tenant alone', async () => {
    expect(await tenants()).toEqual([])
    await client.query(`select set_config('wm.window', $1, false)`, [`,${await idOf('acme')},`])
    expect(await tenants()).toEqual([await idOf('acme')])
    await client.query(`select set_config('wm.window', $1, false)`, [`,${await idOf('acme')},${await idOf('globex')},`])
    expect(new Set(await tenants())).toEqual(new Set([await idOf('acme'), await idOf('globex')]))
  })

  it('may write what the lease verbs write and nothing else', async () => {
    await propose(['guarded'])
    await client.query(`select set_config('wm.window', $1, false)`, [`,${await idOf('acme')},`])
    for (const statement of [
      `update wm.items set input = '{}'`,
      `update wm.orders set payload = '{}'`,
      'delete from wm.items',
      'select from wm.events',
      'select from wm.submissions',
      'insert into wm.api_keys (tenant_id) values (gen_random_uuid())',
    ])
      await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' })
    await expect(client.query(`update wm.items set state = 'submitted' where state = 'queued'`)).rejects.toMatchObject({
      code: '23514',
      constraint: 'item_state_machine',
    })
  })
})

describe('windows of several processes', () => {
  /** As a window of another process that is not over. */
  const holdTurn = (slug: string) =>
    closeGate(server.database, `select pg_advisory_xact_lock(hashtextextended('wm.windows|' || id, 0)) from wm.tenants where slug = $1`, [
      slug,
    ])

  it('of one tenant take turns, so that they do not meet at the same orders', async () => {
    await propose(['in turns'])
    const { item } = (await take()).body
    const gate = await holdTurn('acme')
    const seen = gate.waiting().then(() => true)
    // One waits for its turn only for a while: asked again until somebody has seen it wait.
    while (!(await Promise.race([seen, beat(item).then(({ status }) => status !== 200)]))) continue
    expect(await seen).toBe(true)
    await gate.open()
    expect((await beat(item)).status).toBe(200)
    expect((await handIn(item)).status).toBe(202)
  })

  it('that do not end hold up nobody for long, and other tenants not at all', async () => {
    await propose(['frozen', 'as well'])
    const otherAgent = await server.caller('agent', 'agent-1', { tenant: 'initech' })
    const theirs = await propose(['theirs'], await server.caller('service', 'crm', { tenant: 'initech' }))
    const gate = await holdTurn('acme')
    await windowsAlone(async () => {
      const [mine, other] = await Promise.all([take(), take(otherAgent)])
      expect([mine.status, other.status]).toEqual([200, 200])
      expect(other.body.item.order_id).toBe(theirs)
      expect((await handIn(mine.body.item)).status).toBe(202)
      expect((await handIn(other.body.item, otherAgent)).status).toBe(202)
    })
    await gate.open()
  })
})

describe('what the foreign key and the generated columns promised', () => {
  it('a submission belongs to an item, and an item with submissions cannot go', async () => {
    const [submission] = await server.database.sql<{ tenant_id: string; item_id: string }>(
      'select tenant_id, item_id from wm.submissions limit 1',
    )
    await expect(
      server.database.sql(
        `insert into wm.submissions select s.tenant_id, gen_random_uuid(), s.order_id, gen_random_uuid(), s.number, s.result, s.evidence, s.notes,
            s.digest, s.assembled_parts, s.submitted_by_agent_id, s.submitted_by_principal, s.generation, s.decided_at from wm.submissions s limit 1`,
      ),
    ).rejects.toMatchObject({ code: '23503' })
    await expect(server.database.sql('delete from wm.items where id = $1', [submission!.item_id])).rejects.toMatchObject({ code: '23503' })
    await expect(
      server.database.sql('update wm.items set id = gen_random_uuid() where id = $1', [submission!.item_id]),
    ).rejects.toMatchObject({
      code: '23503',
    })
  })

  it('the marks follow the state, whoever writes it', async () => {
    await propose(['marked'])
    const marks = () =>
      server.database.sql(`select i.state, ready, leased, failed from wm.items i join wm.orders o on o.id = i.order_id
        where i.input ->> 'message' = 'marked'`)
    expect(await marks()).toEqual([{ state: 'queued', ready: true, leased: false, failed: false }])
    await server.database.sql(
      `update wm.items set state = 'failed', ready = true, available_at = now() where input ->> 'message' = 'marked'`,
    )
    expect(await marks()).toEqual([{ state: 'failed', ready: false, leased: false, failed: true }])
  })
})
