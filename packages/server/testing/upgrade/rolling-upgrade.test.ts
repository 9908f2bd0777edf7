/**
 * An upgrade without stopping: the program of the last release goes on serving while the database is migrated and this program joins it.
 * Nobody who calls either of them meets an error of the server, and everything that was begun is finished.
 */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { loadConfig } from '../../src/config/index.ts'
import { migrate } from '../../src/kernel/store/migrate.ts'
import { openWorkManager, type WorkManager } from '../../src/main.ts'
import { defineOrderType } from '../../src/work/order-types/define-order-type.ts'
import { onDatabase } from '../database-url.ts'
import { PreviousProgram, type PreviousServer } from './previous-server.ts'

const name = `wm_rolling_${process.pid}`
const echo = defineOrderType({
  type: 'test.echo',
  payload: { type: 'object', properties: { messages: { type: 'array', items: { type: 'string' } } }, required: ['messages'] },
  result: { type: 'object', properties: { echoed: { type: 'string' } }, required: ['echoed'] },
  input: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] },
  plan: ({ payload }) => payload.messages.map((message) => ({ input: { message } })),
  async apply({ order, items, records, diff }) {
    await records.put('echoes', order.id, items.length)
    return diff({}, { items: items.length }, 'echoed')
  },
})

let owner: pg.Client
let database: { adminUrl: string; runtimeUrl: string }
let previous: PreviousProgram
let before: PreviousServer
let now: WorkManager | undefined
beforeAll(async () => {
  owner = new pg.Client({ connectionString: inject('adminUrl') })
  await owner.connect()
  await owner.query(`create database ${name}`)
  database = { adminUrl: onDatabase(inject('adminUrl'), name), runtimeUrl: onDatabase(inject('runtimeUrl'), name) }
  previous = new PreviousProgram(database)
  await previous.migrate()
  before = await previous.serve()
})
afterAll(async () => {
  await before?.stop()
  await now?.stop()
  previous?.remove()
  await owner.query(`drop database if exists ${name} with (force)`)
  await owner.end()
})

/** Every function of ours with its arguments. */
async function functions(): Promise<string[]> {
  const client = new pg.Client({ connectionString: database.adminUrl })
  await client.connect()
  const { rows } = await client.query<{ name: string }>(
    `select p.oid::regprocedure::text as name from pg_proc p where p.pronamespace = 'wm'::regnamespace order by 1`,
  )
  await client.end()
  return rows.map((row) => row.name)
}

/** What no caller may ever be told during an upgrade. */
const failures: string[] = []

/** As the SDK calls: what is `busy` is asked again with the same key, which the answer says; any other error of the server is a failure. */
async function call(url: string, key: string, method: string, route: string, body?: object): Promise<{ status: number; body: any }> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': randomUUID() }
  for (let n = 1; ; n++) {
    const response = await fetch(`${url}/api/work${route}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const answer = text === '' ? undefined : JSON.parse(text)
    if (response.status === 503 && answer?.code === 'busy' && n < 20) continue
    if (response.status >= 500) failures.push(`${method} ${route} → ${response.status} ${text.slice(0, 300)}`)
    return { status: response.status, body: answer }
  }
}

/** One order from proposal to the last hand-in; each call goes to the server that is next. */
async function workThrough(servers: readonly string[], keys: PreviousServer['keys']): Promise<string> {
  let turn = 0
  const next = (): string => servers[turn++ % servers.length]!
  const { body } = await call(next(), keys.service, 'POST', '/propose', { type: 'test.echo', payload: { messages: ['a', 'b'] } })
  const order = body.order.id as string
  for (let n = 0; n < 2; n++) {
    const { body: leased } = await call(next(), keys.agent, 'POST', `/orders/${order}/checkout?wait=5`, {})
    const { item } = leased
    expect(item, JSON.stringify(leased)).toBeDefined()
    const lease_token = item.lease_token as string
    await call(next(), keys.agent, 'POST', `/items/${item.id}/heartbeat`, { lease_token })
    const done = await call(next(), keys.agent, 'POST', `/items/${item.id}/submit`, { lease_token, result: { echoed: 'x' } })
    expect(done.status, JSON.stringify(done.body)).toBe(202)
  }
  for (const route of [`/orders/${order}`, `/orders/${order}/logs`, `/orders/${order}/why`, '/orders', '/items?limit=5', '/status'])
    expect((await call(next(), keys.agent, 'GET', route)).status, route).toBe(200)
  return order
}

/** What is not finished: given back, failed, withdrawn. */
async function workAstray(servers: readonly string[], keys: PreviousServer['keys']): Promise<void> {
  let turn = 0
  const next = (): string => servers[turn++ % servers.length]!
  const { body } = await call(next(), keys.service, 'POST', '/propose', { type: 'test.echo', payload: { messages: ['a'] } })
  const order = body.order.id as string
  const take = async () => (await call(next(), keys.agent, 'POST', `/orders/${order}/checkout`, {})).body.item
  const first = await take()
  await call(next(), keys.agent, 'POST', `/items/${first.id}/fail`, {
    lease_token: first.lease_token,
    class: 'transient',
    error: { code: 'down', message: 'down' },
    retry_after: 0,
  })
  await call(next(), keys.service, 'POST', `/orders/${order}/cancel`, { reason: 'not needed' })
}

it('the last release serves on while the database is migrated and this program joins; everything is finished, the record whole', async () => {
  const { keys } = before
  const known = await functions()
  const orders: string[] = [await workThrough([before.url], keys)]

  // Agents do not pause while the owner migrates.
  const migrated = new AbortController()
  const meanwhile = (async () => {
    do orders.push(await workThrough([before.url], keys))
    while (!migrated.signal.aborted)
  })()
  // Reported where it is awaited.
  meanwhile.catch(() => {})
  await migrate({ adminUrl: database.adminUrl, runtimeUrl: database.runtimeUrl })
  migrated.abort()
  const left = await functions()
  expect(
    known.filter((each) => !left.includes(each)),
    'the last release may call these: keep them in routines/90_previous.sql',
  ).toEqual([])
  await meanwhile
  orders.push(await workThrough([before.url], keys))
  await workAstray([before.url], keys)
  expect(failures).toEqual([])

  const defaults = await loadConfig({ env: {}, cwd: import.meta.dirname })
  now = await openWorkManager(
    {
      ...defaults,
      database: { ...defaults.database, url: database.runtimeUrl, max_connections: 10 },
      server: { ...defaults.server, port: 0, drain_seconds: 2 },
      approval: { ...defaults.approval, require_digest: false },
      rate_limits: { ...defaults.rate_limits, enabled: false },
    },
    { types: [echo], log: pino({ level: 'silent' }) },
  )
  const url = await now.listen()
  for (let n = 0; n < 3; n++) {
    orders.push(...(await Promise.all([workThrough([before.url, url], keys), workThrough([url, before.url], keys)])))
    await workAstray([before.url, url], keys)
    await workAstray([url, before.url], keys)
  }
  expect(failures).toEqual([])

  // Decided at this program and applied by whichever of the two comes first.
  const person = await now.keys.create({
    tenant: 'default',
    kind: 'person',
    principalId: 'rita',
    name: 'rita',
    abilities: ['work:*', 'ledger:*'],
  })
  for (const [n, order] of orders.entries()) {
    const approved = await call(n % 2 === 0 ? url : before.url, person.key, 'POST', `/orders/${order}/approve`)
    expect(approved.status, JSON.stringify(approved.body)).toBeLessThan(300)
  }
  expect(await before.stop()).toBe(0)
  for (const order of orders) {
    const { body } = await call(url, person.key, 'GET', `/orders/${order}`)
    expect(body.order.state, order).toBe('completed')
  }
  const verified = await call(url, person.key, 'GET', '/ledger/verify')
  expect(verified.body, JSON.stringify(verified.body)).toMatchObject({ ok: true })
  expect(failures).toEqual([])
})
