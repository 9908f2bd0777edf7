/** Debian's PgBouncer in front of the database: everything works through transaction pooling, and nothing is left on a shared connection. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { isInstalled } from '../../../testing/peers/redis-server.ts'
import { type PoolMode, startTestPgBouncer, type TestPgBouncer } from '../../../testing/peers/pgbouncer.ts'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { type Caller, startTestServer, type TestServer, until } from '../../../testing/test-server.ts'
import { openClient } from './watched-client.ts'
import { inspectDatabase, isFatal } from './preflight.ts'
import { migrate } from './migrate.ts'

const installed = await isInstalled('pgbouncer')

describe.skipIf(!installed).each<PoolMode>(['transaction', 'session'])('PgBouncer that pools by %s', (mode) => {
  let database: TestDatabase
  let bouncer: TestPgBouncer
  let server: TestServer
  let crm: Caller
  let rita: Caller
  let agents: Caller[]

  beforeAll(async () => {
    database = await createTestDatabase()
    // By session each of our connections keeps one of its own; by transaction fewer than we open are enough.
    bouncer = await startTestPgBouncer([database.runtimeUrl, database.adminUrl], { mode, poolSize: mode === 'session' ? 40 : 3 })
    server = await startTestServer({
      types: [essayType],
      database: { ...database, runtimeUrl: bouncer.url(database.runtimeUrl) },
    })
    crm = await server.caller('service', 'crm')
    rita = await server.caller('person', 'rita')
    agents = await Promise.all(Array.from({ length: 6 }, (_, n) => server.caller('agent', `agent-${n}`)))
  })
  afterAll(async () => {
    await server.stop()
    await bouncer.stop()
    await database.drop()
  })

  it('is found fit, and doctor says that it is there', async () => {
    const findings = await inspectDatabase(bouncer.url(database.runtimeUrl))
    expect(findings.filter(isFatal)).toEqual([])
    expect(findings.find(({ check }) => check === 'pooler')).toMatchObject({ ok: true, detail: expect.stringContaining('lends') })
    expect(await migrate({ adminUrl: bouncer.url(database.adminUrl) })).toEqual({ applied: [], routinesReplaced: false })
  })

  it('orders go from proposal to completion, many at once', async () => {
    const orders = await Promise.all(
      Array.from(
        { length: 12 },
        async () => (await crm.post('/propose', { type: 'test.essay', payload: { titles: ['one'] } })).body.order.id,
      ),
    )
    await Promise.all(
      orders.map(async (id, n) => {
        const agent = agents[n % agents.length]!
        const leased = await agent.post(`/orders/${id}/checkout`)
        expect(leased.status, leased.text).toBe(200)
        const { item } = leased.body
        const token = { lease_token: item.lease_token }
        expect((await agent.post(`/items/${item.id}/heartbeat`, token)).status).toBe(200)
        const handedIn = await agent.post(`/items/${item.id}/submit`, { ...token, result: essay })
        expect(handedIn.status, handedIn.text).toBe(202)
        const approved = await rita.post(`/orders/${id}/approve`, {})
        expect(approved.status, approved.text).toBeLessThan(300)
      }),
    )
    for (const id of orders) await until(async () => (await rita.get(`/orders/${id}`)).body.order.state === 'completed', 'it is completed')
    await until(
      async () => (await database.sql(`select from wm.events where kind = 'order.completed'`)).length === orders.length,
      'the record has them all',
    )
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  })

  it('another tenant sees nothing of it, whoever used the connection before', async () => {
    const stranger = await server.caller('person', 'olga', { tenant: 'other' })
    const seen = await Promise.all(
      Array.from({ length: 30 }, async (_, n) => (n % 2 === 0 ? rita : stranger).get('/orders').then((answer) => answer.body.data.length)),
    )
    expect(seen.filter((_, n) => n % 2 === 1)).toEqual(Array.from({ length: 15 }, () => 0))
    expect(Math.min(...seen.filter((_, n) => n % 2 === 0))).toBeGreaterThan(0)
  })

  it('leaves no role and no setting behind', async () => {
    // More at once than the pooler has, so that all of its connections are looked at.
    const clients = await Promise.all(Array.from({ length: 3 }, () => openClient({ connectionString: bouncer.url(database.runtimeUrl) })))
    try {
      for (const client of clients) {
        const { rows } = await client.query(
          `select current_user = session_user as own, current_setting('wm.tenant_id', true) as tenant, current_setting('enable_seqscan') as seqscan`,
        )
        expect(rows).toEqual([{ own: true, tenant: expect.toBeOneOf(['', null]), seqscan: 'on' }])
      }
    } finally {
      await Promise.all(clients.map((client) => client.end()))
    }
  })
})

describe.skipIf(!installed)('PgBouncer that pools by statement', () => {
  it('is refused with what to change', async () => {
    const database = await createTestDatabase()
    const bouncer = await startTestPgBouncer([database.runtimeUrl], { mode: 'statement' })
    try {
      const findings = (await inspectDatabase(bouncer.url(database.runtimeUrl))).filter(isFatal)
      expect(findings).toMatchObject([{ check: 'pooler', fix: expect.stringContaining('pool_mode = transaction') }])
      await expect(startTestServer({ database: { ...database, runtimeUrl: bouncer.url(database.runtimeUrl) } })).rejects.toMatchObject({
        name: 'UnfitDatabaseError',
        message: expect.stringContaining('pool_mode = transaction'),
      })
    } finally {
      await bouncer.stop()
      await database.drop()
    }
  })
})
