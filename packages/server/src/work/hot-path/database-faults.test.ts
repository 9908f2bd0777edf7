/** Locks that are held too long and connections that break: a clear 503, nothing half done, and everything works again afterwards. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { contradictionsIn } from '../../../testing/history.ts'
import { holdOrder, recordOf } from '../../../testing/row-gate.ts'
import { type Answer, type Caller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'

let server: TestServer
let proposer: Caller
let rita: Caller
let agents: Caller[]

beforeAll(async () => {
  server = await startTestServer({ types: [essayType], background: false })
  proposer = await server.caller('service', 'crm')
  rita = await server.caller('person', 'rita')
  agents = await Promise.all(Array.from({ length: 4 }, (_, n) => server.caller('agent', `agent-${n}`)))
})
afterAll(() => server.stop())

const propose = async (titles = ['one'], priority = 0): Promise<string> =>
  (await proposer.post('/propose', { type: 'test.essay', payload: { titles }, priority })).body.order.id

describe('an order whose lock is held for longer than anybody waits', () => {
  it('its writers hear 503 busy and change nothing, and checkout serves the other orders meanwhile', async () => {
    const held = await propose(['one', 'two', 'three'], 10)
    const { item } = (await agents[0]!.post(`/orders/${held}/checkout`)).body
    const free = await propose(['four', 'five'])
    const before = await recordOf(server.database, held)
    const gate = await holdOrder(server.database, held)

    const token = { lease_token: item.lease_token }
    const writers = [
      agents[0]!.post(`/items/${item.id}/submit`, { ...token, result: essay }),
      agents[0]!.post(`/items/${item.id}/release`, token),
      rita.post(`/orders/${held}/cancel`, { reason: 'No.' }),
      agents[1]!.post(`/orders/${held}/checkout`),
    ]
    await gate.waiting(3)
    // The held order is the more urgent one, yet nobody has to wait for it.
    const served = [await agents[2]!.post('/checkout', {}), await agents[3]!.post('/checkout', { type: 'test.essay' })]
    expect(served.map((one) => [one.status, one.body.item?.order_id])).toEqual([
      [200, free],
      [200, free],
    ])
    for (const answer of await Promise.all(writers)) {
      expect(answer, answer.text).toMatchObject({ status: 503, body: { code: 'busy', retry: 'later' } })
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    await gate.open()
    const after = await recordOf(server.database, held)
    expect({ ...after, answers: 0 }).toEqual({ ...before, answers: 0 })
    expect((await agents[0]!.post(`/items/${item.id}/submit`, { ...token, result: essay })).status).toBe(202)
  })

  it('a statement that waits for it does not keep the hand-ins for other orders from landing', async () => {
    const [held, free] = [await propose(), await propose()]
    const [one, two] = [
      (await agents[0]!.post(`/orders/${held}/checkout`)).body.item,
      (await agents[1]!.post(`/orders/${free}/checkout`)).body.item,
    ]
    const gate = await holdOrder(server.database, held)
    const stuck = agents[0]!.post(`/items/${one.id}/submit`, { lease_token: one.lease_token, result: essay })
    await gate.waiting()
    expect((await agents[1]!.post(`/items/${two.id}/submit`, { lease_token: two.lease_token, result: essay })).status).toBe(202)
    await gate.open()
    expect((await stuck).status).toBe(202)
  })
})

describe('connections that break', () => {
  const endAll = () =>
    server.database.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name like 'work-manager%'`,
      [server.database.name],
    )

  it('while nobody uses them: the next request works', async () => {
    expect((await propose()).length).toBe(36)
    await endAll()
    await until(
      async () =>
        (
          await server.database.sql(
            `select 1 from pg_stat_activity where datname = $1 and application_name like 'work-manager%' and state = 'idle'`,
            [server.database.name],
          )
        ).length === 0,
      'all are gone',
    )
    const answers = await Promise.all([
      proposer.post('/propose', { type: 'test.essay', payload: { titles: ['x'] } }),
      rita.get('/orders'),
      agents[0]!.post('/checkout', {}),
    ])
    for (const { status, text } of answers) expect([200, 201, 503], text).toContain(status)
    expect((await rita.get('/orders')).status).toBe(200)
  })

  it('under a request that waits for a lock: 503 that says what is known, and a retry with the same key does it once', async () => {
    const orderId = await propose()
    const { item } = (await agents[0]!.post(`/orders/${orderId}/checkout`)).body
    const key = randomUUID()
    const submit = () => agents[0]!.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: essay }, { key })
    const cancelled = await propose()
    const [gate, other] = [await holdOrder(server.database, orderId), await holdOrder(server.database, cancelled)]
    const [broken, brokenToo] = [submit(), rita.post(`/orders/${cancelled}/cancel`, { reason: 'No.' })]
    await gate.waiting(2)
    await endAll()
    for (const answer of await Promise.all([broken, brokenToo]))
      expect(answer, answer.text).toMatchObject({ status: 503, body: { code: 'database_unavailable' } })
    await gate.open()
    await other.open()
    expect((await submit()).status).toBe(202)
    expect((await submit()).headers.get('idempotent-replayed')).toBe('true')
    expect((await recordOf(server.database, orderId)).events.filter((kind) => kind === 'item.submitted')).toHaveLength(1)
    expect((await rita.get(`/orders/${cancelled}`)).body.order.state).toBe('queued')
  })

  it('again and again under load: every answer is clear, nothing is lost or done twice, the process lives', async () => {
    const seen = new Set<string>()
    let answered = 0
    const cuts: Promise<unknown>[] = []
    const note = (answer: Answer): Answer => {
      // In step with progress: connections that are cut faster than they can be made would only prove that nothing works.
      if (++answered % 9 === 0) cuts.push(endAll())
      seen.add(`${answer.status}${answer.status === 503 || answer.status >= 400 ? ` ${answer.body?.code}` : ''}`)
      return answer
    }
    /** Repeats the same request with the same key, as the refusal asks for. */
    const insist = async (call: (key: string) => Promise<Answer>): Promise<Answer> => {
      const key = randomUUID()
      for (;;) {
        const answer = note(await call(key))
        if (answer.status !== 503 && answer.body?.code !== 'idempotency_in_progress') return answer
      }
    }
    const wanted = 8
    const work = async (agent: Caller): Promise<string[]> => {
      const done: string[] = []
      while (done.length < wanted) {
        const proposed = await insist((key) => proposer.post('/propose', { type: 'test.essay', payload: { titles: ['x'] } }, { key }))
        expect(proposed.status, proposed.text).toBe(201)
        const { id } = proposed.body.order
        for (;;) {
          const leased = await insist(() => agent.post(`/orders/${id}/checkout`))
          if (leased.status === 200) {
            const { item } = leased.body
            await insist(() => agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }))
            const submit = await insist((key) =>
              agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: essay }, { key }),
            )
            expect(submit.status, submit.text).toBe(202)
            break
          }
          // The grant was committed and its answer lost: it ends by the clock, like that of any agent that fell silent.
          expect(leased.body.code, leased.text).toBe('no_items_available')
          await server.database.sql(
            `update wm.items set lease_expires_at = clock_timestamp() - interval '1 second' where order_id = $1 and lease_token is not null`,
            [id],
          )
          await server.run('lease-reclaimer').catch(() => 0)
          const [row] = await server.database.sql<{ state: string }>('select state from wm.items where order_id = $1', [id])
          if (row!.state === 'failed') break
        }
        done.push(id)
      }
      return done
    }
    const orders = (await Promise.all(agents.map(work))).flat()
    await Promise.all(cuts)
    expect(cuts.length).toBeGreaterThan(5)
    expect(
      [...seen].filter(
        (one) => !/^(200|201|202|409 no_items_available|409 idempotency_in_progress|503 (database_unavailable|busy))$/.test(one),
      ),
    ).toEqual([])
    const rows = await server.database.sql<{ state: string; n: number; events: number }>(
      `select o.state, o.items_submitted as n, (select count(*)::int from record e where e.order_id = o.id and e.kind = 'item.submitted') as events from wm.orders o where id = any($1)`,
      [orders],
    )
    expect(rows).toHaveLength(agents.length * wanted)
    expect(rows.filter((row) => row.state === 'submitted').length).toBeGreaterThan(0)
    for (const row of rows) expect([row.n, row.events]).toEqual(row.state === 'submitted' ? [1, 1] : [0, 0])
    expect(await contradictionsIn(server.database)).toEqual([])
    // No pool is short of a connection, and no transaction was left open.
    expect((await Promise.all(Array.from({ length: 32 }, () => rita.get('/orders')))).map((one) => one.status)).toEqual(
      Array.from({ length: 32 }, () => 200),
    )
    expect(
      await server.database.sql(`select pid from pg_stat_activity where datname = $1 and state like 'idle in transaction%'`, [
        server.database.name,
      ]),
    ).toEqual([])
  })
})
