/**
 * Stories of checkout_item, checkout_order_item and heartbeat_item.
 * One holder at a time, tokens that only grow, and stale holders that change nothing. Two server processes on one database throughout.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { contradictionsIn } from '../../../testing/history.ts'
import { expireLease, recordOf } from '../../../testing/row-gate.ts'
import { type Answer, type Caller, createCaller, startTestServer, type TestServer } from '../../../testing/test-server.ts'
import { tokenGeneration } from './decide.ts'

// Several servers share one small database: each gets few connections.
// One agent takes what it let go again and again here; being kept from it is the matter of dropped-items.test.ts.
const config = { database: { max_connections: 8 }, lease: { cooldown_seconds: 0 } }
let here: TestServer
let there: TestServer
let proposer: Caller
let robin: Caller
let sam: Caller
let rita: Caller
/** Orders that a test changed by SQL, past the rules. */
const forged: string[] = []

beforeAll(async () => {
  here = await startTestServer({ config, types: [essayType], background: false })
  there = await startTestServer({ config, types: [essayType], background: false, database: here.database })
  proposer = await here.caller('service', 'crm')
  robin = await here.caller('agent', 'robin')
  sam = await here.caller('agent', 'sam')
  rita = await here.caller('person', 'rita')
})
afterAll(async () => {
  await there.stop()
  await here.stop()
})

interface Leased {
  readonly id: string
  readonly order_id: string
  readonly lease_token: string
  readonly attempt: number
}
const propose = async (titles = ['one']): Promise<string> =>
  (await proposer.post('/propose', { type: 'test.essay', payload: { titles } })).body.order.id
const take = async (who: Caller, orderId: string, headers: Record<string, string> = {}): Promise<Leased> => {
  const answer = await who.post(`/orders/${orderId}/checkout`, {}, { headers })
  expect(answer.status, answer.text).toBe(200)
  return answer.body.item
}
const verbs = {
  heartbeat: {},
  submit: { result: essay },
  parts: { part_key: 'body', payload: essay.body },
  finalize: {},
  release: {},
  fail: { class: 'agent', error: { code: 'no', message: 'I cannot.' } },
}
/** A second door into the same database, as a second process of the same agent would use it. */
const elsewhere = (caller: Caller): Caller => createCaller(there.url, caller.key, caller.id)

/** Every lease verb is refused, and nothing whatever is written. */
async function expectPowerless(
  who: Caller,
  item: Leased,
  token: string | undefined,
  codes: readonly string[],
  headers: Record<string, string> = {},
): Promise<void> {
  // A validated part lets finalize come as far as the lease.
  await here.database.sql(
    `insert into wm.parts (tenant_id, id, order_id, item_id, part_key, revision, status, payload, checksum, submitted_by_agent_id, submitted_by_principal, generation, created_at)
     select tenant_id, gen_random_uuid(), order_id, id, 'body', 1, 'validated', $2, 'x', 'robin', 'agent:robin', 1, now() from wm.items where id = $1 on conflict do nothing`,
    [item.id, JSON.stringify(essay.body)],
  )
  const before = await recordOf(here.database, item.order_id)
  for (const [verb, body] of Object.entries(verbs)) {
    const answer: Answer = await who.post(
      `/items/${item.id}/${verb}`,
      { ...(token === undefined ? {} : { lease_token: token }), ...body },
      { headers },
    )
    expect(answer.status, `${verb}: ${answer.text}`).toBe(409)
    expect(codes, `${verb}: ${answer.text}`).toContain(answer.body.code)
    // What does not pass the checks must not be remembered on an item that somebody else holds, either.
    if (verb === 'submit')
      expect(
        (
          await who.post(
            `/items/${item.id}/submit`,
            { ...(token === undefined ? {} : { lease_token: token }), result: { body: { text: '' } } },
            { headers },
          )
        ).status,
      ).toBe(409)
  }
  expect(await recordOf(here.database, item.order_id)).toEqual(before)
}

describe('who holds an item', () => {
  it('another agent of the tenant can do nothing with it, not even with the token', async () => {
    const item = await take(robin, await propose())
    await expectPowerless(sam, item, undefined, ['lease_error'])
    await expectPowerless(sam, item, item.lease_token, ['lease_error'])
    expect((await robin.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token })).status).toBe(200)
  })

  it('the same agent name under another credential is another holder', async () => {
    const shop = await here.caller('service', 'shop')
    const mail = await here.caller('service', 'mail')
    const asBot = { 'x-agent-id': 'bot' }
    const item = await take(shop, await propose(), asBot)
    await expectPowerless(mail, item, item.lease_token, ['lease_error'], asBot)
    await expectPowerless(mail, item, undefined, ['lease_error'], asBot)
    await expectPowerless(shop, item, item.lease_token, ['lease_error'], { 'x-agent-id': 'other-bot' })
    expect((await shop.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { headers: asBot })).status).toBe(200)
  })

  it('an agent key cannot act as another agent by naming it', async () => {
    const item = await take(robin, await propose())
    await expectPowerless(sam, item, item.lease_token, ['lease_error'], { 'x-agent-id': 'robin' })
  })

  it('two processes of one agent have two tokens: the one whose lease ended is refused, whoever holds the item now', async () => {
    const orderId = await propose()
    const frozen = await take(robin, orderId)
    await expireLease(here.database, frozen.id)
    expect(await there.run('lease-reclaimer')).toBe(1)
    const current = await take(elsewhere(robin), orderId)
    expect(current.id).toBe(frozen.id)
    expect(current.lease_token).not.toBe(frozen.lease_token)
    await expectPowerless(robin, frozen, frozen.lease_token, ['lease_lost'])
    const answer = await elsewhere(robin).post(`/items/${current.id}/submit`, { lease_token: current.lease_token, result: essay })
    expect(answer.status, answer.text).toBe(202)
  })

  it('two keys of one principal are one holder, told apart by the token alone', async () => {
    const second = await here.caller('agent', 'robin')
    expect(second.key).not.toBe(robin.key)
    const item = await take(robin, await propose())
    expect((await second.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token })).status).toBe(200)
    await expectPowerless(
      second,
      item,
      item.lease_token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      ['lease_lost'],
    )
  })

  it.each(['no token at all', 'wl.1.1.', 'wl.1.999999.AAAAAAAAAAAAAAAAAAAAAA', "' or true --"])(
    'a made-up token (%s) is refused',
    async (token) => {
      const item = await take(robin, await propose())
      await expectPowerless(robin, item, token, ['lease_lost'])
    },
  )

  it('a token of another item, of another order and of another tenant is no key', async () => {
    const [one, two] = [await take(robin, await propose()), await take(robin, await propose())]
    await expectPowerless(robin, one, two.lease_token, ['lease_lost'])
    const stranger = await here.caller('agent', 'robin', { tenant: 'globex' })
    const absent = await stranger.post('/items/00000000-0000-7000-8000-000000000000/heartbeat', { lease_token: one.lease_token })
    const foreign = await stranger.post(`/items/${one.id}/heartbeat`, { lease_token: one.lease_token })
    expect([foreign.status, foreign.body.code, foreign.body.detail]).toEqual([404, 'not_found', absent.body.detail])
  })
})

describe('tokens and attempts', () => {
  it('tokens only grow: over release, expiry, failure and retry, rework, dead letter and requeue', async () => {
    const orderId = await propose()
    const generations: number[] = []
    const old: Leased[] = []
    const lease = async (): Promise<Leased> => {
      const item = await take(robin, orderId)
      generations.push(tokenGeneration(item.lease_token)!)
      old.push(item)
      return item
    }
    const released = await lease()
    expect((await robin.post(`/items/${released.id}/release`, { lease_token: released.lease_token })).status).toBe(200)
    const expired = await lease()
    await expireLease(here.database, expired.id)
    expect(await here.run('lease-reclaimer')).toBe(1)
    const last = await lease()
    expect(last.attempt, 'what is given back at once costs none').toBe(2)
    const failed = await robin.post(`/items/${last.id}/fail`, {
      lease_token: last.lease_token,
      class: 'permanent',
      error: { code: 'no', message: 'Impossible.' },
    })
    expect(failed.body).toMatchObject({ will_retry: false, item: { state: 'failed' } })
    await here.database.sql(`update wm.items set updated_at = updated_at - interval '100 days' where id = $1`, [last.id])
    expect(await here.run('dead-letterer')).toBeGreaterThan(0)
    expect((await rita.get(`/orders/${orderId}`)).body.order.state).toBe('dead_lettered')
    expect((await rita.post(`/orders/${orderId}/requeue`, { reason: 'The source is back.' })).status).toBe(200)
    const transient = await lease()
    expect(transient.attempt, 'a requeue gives a new budget').toBe(1)
    expect(
      (
        await robin.post(`/items/${transient.id}/fail`, {
          lease_token: transient.lease_token,
          class: 'transient',
          error: { code: 'down', message: 'Down.' },
        })
      ).body.will_retry,
    ).toBe(true)
    await here.database.sql(`update wm.items set available_at = clock_timestamp() where id = $1`, [last.id])
    expect(await here.run('retry-scheduler')).toBe(1)
    const good = await lease()
    expect((await robin.post(`/items/${good.id}/submit`, { lease_token: good.lease_token, result: essay })).status).toBe(202)
    expect(
      (await rita.post(`/orders/${orderId}/reject`, { allow_rework: true, errors: [{ field: 'body', code: 'dull', message: 'Dull.' }] }))
        .status,
    ).toBe(200)
    const reworked = await lease()

    expect(generations).toEqual([1, 2, 3, 4, 5, 6])
    for (const stale of old.slice(0, -1)) await expectPowerless(robin, stale, stale.lease_token, ['lease_lost'])
    expect((await robin.post(`/items/${reworked.id}/heartbeat`, { lease_token: reworked.lease_token })).status).toBe(200)
  })

  it('attempts are grants: each one counts, and after the last there is no other', async () => {
    const orderId = await propose()
    for (let attempt = 1; attempt <= 3; attempt++) {
      const item = await take(attempt % 2 ? robin : sam, orderId)
      expect(item.attempt).toBe(attempt)
      await expireLease(here.database, item.id)
      expect(await here.run('lease-reclaimer')).toBe(1)
    }
    expect((await robin.post(`/orders/${orderId}/checkout`)).status).toBe(409)
    const [row] = await here.database.sql(
      `select i.state, i.attempts, i.generation::int, (select count(*)::int from record e where e.item_id = i.id and e.kind = 'item.leased') as grants from wm.items i where order_id = $1`,
      [orderId],
    )
    expect(row).toEqual({ state: 'failed', attempts: 3, generation: 3, grants: 3 })
  })

  it('every write of a holder is on record with a lease that was live when it was decided', async () => {
    const rows = await here.database.sql(
      `select e.kind from record e
        where e.kind in ('item.submitted', 'item.released', 'item.failed', 'item.part_submitted') and e.actor_type = 'agent'
          and not exists (select 1 from record g where g.item_id = e.item_id and g.kind = 'item.leased' and g.position < e.position and g.principal = e.principal)`,
    )
    expect(rows).toEqual([])
    const regrants = await here.database.sql(
      `select item_id from (select item_id, kind, lag(kind) over (partition by item_id order by position) as before from record
         where kind in ('item.leased', 'item.submitted', 'item.released', 'item.failed', 'item.lease_expired', 'item.cancelled')) e
        where kind = 'item.leased' and before = 'item.leased'`,
    )
    expect(regrants, 'no grant before the one before it ended').toEqual([])
  })
})

describe('no lease where there must be none', () => {
  const stateOf = async (orderId: string): Promise<string> => (await rita.get(`/orders/${orderId}`)).body.order.state

  it('a cancelled order: the holder learns it at the next heartbeat, nothing lands any more, nobody gets an item', async () => {
    const orderId = await propose(['one', 'two'])
    const item = await take(robin, orderId)
    expect((await rita.post(`/orders/${orderId}/cancel`, { reason: 'Not needed.' })).status).toBe(200)
    const beat = await robin.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token })
    expect(beat).toMatchObject({ status: 409, body: { code: 'lease_lost', reason: 'cancelled' } })
    await expectPowerless(robin, item, item.lease_token, ['lease_lost'])
    await expectPowerless(robin, item, undefined, ['lease_lost'])
    expect((await sam.post(`/orders/${orderId}/checkout`)).status).toBe(409)
  })

  it('an order that was handed in, rejected or given up', async () => {
    const orderId = await propose()
    const item = await take(robin, orderId)
    await robin.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: essay })
    expect(await stateOf(orderId)).toBe('submitted')
    expect((await sam.post(`/orders/${orderId}/checkout`)).status).toBe(409)
    await expectPowerless(robin, item, item.lease_token, ['already_submitted'])
    await rita.post(`/orders/${orderId}/reject`, { errors: [{ field: 'body', code: 'dull', message: 'Dull.' }] })
    expect(await stateOf(orderId)).toBe('rejected')
    expect((await sam.post(`/orders/${orderId}/checkout`)).status).toBe(409)
    await expectPowerless(robin, item, item.lease_token, ['lease_lost'])
  })

  it('a closed order gives out nothing, even if an item of it still says queued', async () => {
    const orderId = await propose()
    forged.push(orderId)
    await here.database.sql(`update wm.orders set state = 'cancelled' where id = $1`, [orderId])
    expect((await sam.post(`/orders/${orderId}/checkout`)).status).toBe(409)
    expect((await sam.post('/checkout', {})).status).toBe(409)
    await here.database.sql(`update wm.items set state = 'cancelled' where order_id = $1`, [orderId])
  })

  it('an item whose backoff is not over', async () => {
    const orderId = await propose()
    const item = await take(robin, orderId)
    await robin.post(`/items/${item.id}/fail`, {
      lease_token: item.lease_token,
      class: 'transient',
      error: { code: 'down', message: 'Down.' },
      retry_after: 3600,
    })
    expect(await here.run('retry-scheduler')).toBe(0)
    expect((await sam.post(`/orders/${orderId}/checkout`)).status).toBe(409)
  })
})

it('after all of this, the record tells how every row came to be what it is', async () => {
  expect(await contradictionsIn(here.database, forged)).toEqual([])
})
