/** An idempotency key belongs to the caller, not to a door: used at one, it replays at every other. */
import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient, isWorkError } from '../../../sdk/src/index.ts'
import { closeGate } from '../row-gate.ts'
import { startTestServer, type Caller, type TestServer } from '../test-server.ts'
import { type Door, doorNames, doorsTo } from './doors.ts'
import { essayInParts } from './essay-in-parts.ts'

let server: TestServer
let doors: readonly Door[]
let caller: Caller
beforeAll(async () => {
  server = await startTestServer({ types: [essayInParts], background: false })
  doors = doorsTo(server.url, { createClient, isWorkError })
  caller = await server.caller('service', 'crm')
})
afterAll(async () => {
  for (const door of doors) await door.close()
  await server.stop()
})

/** Tells at one door, then at all the others with the same key; returns what the first one said. */
async function everywhere(n: number, call: Parameters<Door['tell']>[1]): Promise<any> {
  const first = await doors[n]!.tell(caller.key, call)
  expect(first.refused, JSON.stringify(first)).toBeUndefined()
  await Promise.all(
    doors.map(async (door, other) => {
      if (other !== n) expect(await door.tell(caller.key, call), `${doorNames[n]}, then ${door.name}`).toEqual(first)
    }),
  )
  return first.answer
}

async function mismatch(n: number, call: Parameters<Door['tell']>[1]): Promise<void> {
  const next = doors[(n + 1) % doors.length]!
  expect(await next.tell(caller.key, call), `another request at ${next.name}`).toMatchObject({ refused: 'idempotency_mismatch' })
}

const count = async (sql: string, ...values: unknown[]): Promise<number> =>
  (await server.database.sql<{ n: number }>(`select count(*)::int as n from ${sql}`, values))[0]!.n

describe.each(doorNames.map((name, n) => [name, n] as const))('a key first used at %s', (name, n) => {
  it('proposes once, wherever it comes again', async () => {
    const idempotencyKey = randomUUID()
    const input = { type: 'test.parity', payload: { titles: ['birds'] }, meta: { first: name, later: ['b', { a: 1 }] }, priority: 3 }
    const { order } = await everywhere(n, { operation: 'propose_order', input, idempotencyKey })
    expect(order.meta.first).toBe(name)
    expect(await count(`wm.orders where meta ->> 'first' = $1`, name)).toBe(1)
    await mismatch(n, { operation: 'propose_order', input: { ...input, priority: 4 }, idempotencyKey })
  })

  it('hands in once, wherever it comes again', async () => {
    const { order } = (await caller.post('/propose', { type: 'test.parity', payload: { titles: ['fish'] } })).body
    const { item } = (await caller.post(`/orders/${order.id}/checkout`)).body
    const idempotencyKey = `submit/${n}"quoted\\"=${randomUUID()}`
    const result = { opening: { text: 'On fish' }, ending: { text: 'Swim on.' } }
    const evidence = [{ url: 'https://example.org/fish', retrieved_at: '2026-07-01T00:00:00Z' }]
    const input = { item: item.id, lease_token: item.lease_token, result, evidence, notes: 'as told' }
    const answer = await everywhere(n, { operation: 'submit_item', input, idempotencyKey })
    expect([answer.item.id, answer.order_state]).toEqual([item.id, 'submitted'])
    expect(await count('wm.submissions where item_id = $1', item.id)).toBe(1)
    expect(await count(`record where item_id = $1 and kind = 'item.submitted'`, item.id)).toBe(1)
    await mismatch(n, { operation: 'submit_item', input: { ...input, notes: 'otherwise' }, idempotencyKey })
  })
})

it('a hand-in is answered from the record even while another repeat of it holds the key', async () => {
  const { order } = (await caller.post('/propose', { type: 'test.parity', payload: { titles: ['ants'] } })).body
  const { item } = (await caller.post(`/orders/${order.id}/checkout`)).body
  const idempotencyKey = randomUUID()
  const input = { item: item.id, lease_token: item.lease_token, result: { opening: { text: 'On ants' }, ending: { text: 'Many.' } } }
  const call = { operation: 'submit_item', input, idempotencyKey }
  const first = await doors[0]!.tell(caller.key, call)
  const gate = await closeGate(
    server.database,
    `select pg_advisory_xact_lock(hashtextextended(id::text || '|service:crm|submit_item|' || $1, 0)) from wm.tenants where slug = 'acme'`,
    [createHash('sha256').update(idempotencyKey).digest('hex')],
  )
  try {
    for (const door of doors) expect(await door.tell(caller.key, call), door.name).toEqual(first)
    await mismatch(0, { ...call, input: { ...input, notes: 'otherwise' } })
  } finally {
    await gate.open()
  }
})
