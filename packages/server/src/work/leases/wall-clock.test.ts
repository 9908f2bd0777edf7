/** The wall clock is set back and forth while the server runs: waits last as long as they were asked to, promises are the database's. */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { echoType } from '../../../testing/echo-type.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { createCaller, startTestServer } from '../../../testing/test-server.ts'

let story: Story
beforeEach(async () => {
  story = await startStory()
  vi.useFakeTimers({ toFake: ['Date'] })
  return () => vi.useRealTimers()
})
afterEach(() => story.server.stop())

const hours = (n: number) => vi.setSystemTime(Date.now() + n * 3_600_000)

it.each([
  ['a checkout', () => story.agent.post('/checkout', { wait: 1 }), 409],
  ['why', async () => story.reviewer.get(`/orders/${(await story.propose()).id}/why?wait=1`), 200],
])('%s that waits ends after a step back', async (_, ask, status) => {
  const waiting = ask()
  // Whatever it looked at first, it looked at by now.
  await story.server.database.sql('select pg_sleep(0.3)')
  hours(-2)
  expect((await waiting).status).toBe(status)
})

it('a wait of many seconds is not cut short by a step forward', async () => {
  const waiting = story.agent.post('/checkout', { wait: 20 })
  await story.server.database.sql('select pg_sleep(0.3)')
  hours(2)
  await story.server.database.sql('select pg_sleep(0.7)')
  const order = await story.propose()
  expect((await waiting).body.item?.order_id).toBe(order.id)
})

it('Idempotency-Expires is what the database keeps, for first answers and repeated ones', async () => {
  hours(-48)
  const order = await story.propose()
  const item = await story.take(order.id)
  const key = randomUUID()
  const submit = () =>
    story.agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { echoed: 'hi', ok: true } }, { key })
  const proposal = { type: 'test.echo', payload: { messages: ['hi'] } }
  const another = randomUUID()
  const propose = () => story.proposer.post('/propose', proposal, { key: another })
  const answers = [await propose(), await propose(), await submit(), await submit()]
  const kept = await story.server.database.sql<{ operation: string; until: string }>(
    `select operation, to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as until from wm.idempotency where operation in ('propose_order', 'submit_item') order by created_at`,
  )
  const until = Object.fromEntries(kept.map((row) => [row.operation, row.until]))
  expect(answers.map((answer) => answer.headers.get('idempotency-expires'))).toEqual([
    until['propose_order'],
    until['propose_order'],
    until['submit_item'],
    until['submit_item'],
  ])
})

it('the end of a key is when the database says, however wrong the clock of the server is', async () => {
  const { agent, server } = story
  const endsIn = (seconds: number) =>
    server.database.sql(
      `update wm.api_keys set expires_at = clock_timestamp() + make_interval(secs => $1) where principal_id = 'agent-1'`,
      [seconds],
    )
  await endsIn(3600)
  hours(48)
  expect((await agent.get('/orders')).status).toBe(200)
  await endsIn(-60)
  hours(-96)
  // What was looked up is believed for some seconds.
  const other = await startTestServer({ types: [echoType], background: false, database: server.database })
  try {
    expect((await createCaller(other.url, agent.key, 'agent-1').get('/orders')).body.code).toBe('key_expired')
  } finally {
    await other.stop()
  }
})
