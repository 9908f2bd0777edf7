import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cursorSeal, encodeCursor } from '../../kernel/operations/cursor.ts'
import { startStory, type Story } from '../../../testing/story.ts'

let story: Story
const ids: Record<string, string> = {}
beforeAll(async () => {
  story = await startStory({ config: { query: { default_page_size: 5, max_page_size: 20 } } })
  for (const [name, priority, meta, messages] of [
    ['low', 1, { batch: 42, owner: 'ann' }, ['a']],
    ['middle', 50, { batch: '42' }, ['a', 'b']],
    ['high', 90, { owner: 'bob', nested: { deep: true } }, ['a', 'b', 'c']],
  ] as const)
    ids[name] = (await story.propose({ messages }, { priority, meta })).id
  await story.take(ids.high!)
  await story.fill(ids.low!)
})
afterAll(() => story.server.stop())

const list = async (query: string) => {
  const answer = await story.reviewer.get(`/orders?${query}`)
  return {
    status: answer.status,
    body: answer.body,
    names: (answer.body.data as Array<{ id: string }> | undefined)?.map((order) => Object.keys(ids).find((name) => ids[name] === order.id)),
  }
}

describe('a type that nobody knows', () => {
  it('is named with the nearest one, by either spelling of the filter', async () => {
    for (const query of ['type=test.ecko', 'filter[type]=test.echo,test.ecko']) {
      const { status, body } = await list(query)
      expect([status, body.code, body.detail], query).toEqual([
        404,
        'order_type_not_found',
        "Order type 'test.ecko' is not registered; did you mean 'test.echo'?",
      ])
    }
  })

  it('is one that neither this process has nor any order: those of types that are gone are found', async () => {
    const order = await story.propose({ messages: ['a'] })
    await story.server.database.sql(`update wm.orders set type = 'test.gone' where id = $1`, [order.id])
    expect((await list('type=test.gone')).body.data).toMatchObject([{ id: order.id }])
    expect((await story.agent.post('/checkout', { type: 'test.gone' })).body.code).toBe('no_items_available')
    const stranger = await story.server.caller('agent', 'agent-1', { tenant: 'rival' })
    expect((await stranger.post('/checkout', { type: 'test.gone' })).body.code).toBe('order_type_not_found')
    await story.server.database.sql(`delete from wm.items where order_id = $1`, [order.id])
    await story.server.database.sql(`delete from wm.orders where id = $1`, [order.id])
  })
})

describe('filters of GET /orders', () => {
  it.each([
    ['state=submitted', ['low']],
    ['filter[state]=queued,submitted', ['middle', 'low']],
    ['type=test.echo', ['high', 'middle', 'low']],
    ['filter[priority]=>=50', ['high', 'middle']],
    ['filter[priority]=>1,<90', ['middle']],
    ['filter[priority]=<>50', ['high', 'low']],
    ['filter[priority]=50', ['middle']],
    ['filter[items.state]=leased', ['high']],
    ['filter[has_available_items]=true', ['high', 'middle']],
    ['filter[has_available_items]=0', ['high', 'middle', 'low']],
    ['filter[meta]=batch:42', ['middle', 'low']],
    ['filter[meta]=owner:bob', ['high']],
    ['filter[meta]={"nested":{"deep":true}}', ['high']],
    ['filter[created_at]=>2020-01-01', ['high', 'middle', 'low']],
    ['filter[created_at]=<2020-01-01T00:00:00Z', []],
    ['filter[applied_at]=>2020-01-01', []],
    ['requested_by_id=crm&requested_by_type=agent', ['high', 'middle', 'low']],
    ['sort=priority', ['low', 'middle', 'high']],
    ['sort=-created_at', ['high', 'middle', 'low']],
    ['sort=-items_count', ['high', 'middle', 'low']],
  ])('%s', async (query, expected) => {
    expect(
      (await list(query.replaceAll('>=', '%3E%3D').replaceAll('{', '%7B').replaceAll('}', '%7D').replaceAll('"', '%22'))).names,
    ).toEqual(expected)
  })

  it('by id, one or several', async () => {
    expect((await list(`id=${ids.low}`)).names).toEqual(['low'])
    expect((await list(`filter[id]=${ids.low},${ids.high!.toUpperCase()}`)).names).toEqual(['high', 'low'])
  })

  it.each([
    ['filter[state]=submited', ['submitted', 'cancelled']],
    ['filter[stat]=queued', ["'state'", 'has_available_items']],
    ['filter[items.state]=open', ['in_progress']],
    ['filter[id]=abc', ['UUID']],
    ['filter[priority]=high', ['>50']],
    ['filter[created_at]=yesterday', ['2026-01-31T00:00:00Z']],
    ['filter[created_at]=1', ['2026-01-31T00:00:00Z']],
    ['filter[created_at]=Tue, 3 Mar 2026 (holiday)', ['2026-01-31T00:00:00Z']],
    ['filter[created_at]=2026-02-31', ['2026-01-31T00:00:00Z']],
    ['filter[meta]=x', ['key:value']],
    ['filter[meta]=%7Bx', ['JSON']],
    ['sort=prio', ['last_transitioned_at']],
    ['include=evens', ['eventsCount']],
    ['fields[work_orders]=secret', ['items_total']],
    ['fields[orders]=id', ['fields[work_orders]']],
    ['limit=abc', ['whole number']],
    ['limit=-1', ['whole number']],
    ['per_page=21', ['1 to 20']],
    ['page[number]=0', ['whole number']],
  ])('%s is refused and names what is allowed', async (query, named) => {
    const answer = await list(query)
    expect([answer.status, answer.body.code], JSON.stringify(answer.body)).toEqual([400, 'invalid_filter'])
    for (const word of named) expect(answer.body.detail).toContain(word)
  })
})

describe('shapes of GET /orders', () => {
  it('counts, existence, events, effects and items come on request', async () => {
    const { body } = await list('include=items,itemsCount,itemsExists,eventsCount,eventsExists,events,effects&filter[state]=submitted')
    expect(body.data[0]).toMatchObject({
      items_count: 1,
      items_exists: true,
      events_exists: true,
      effects: [],
      items: [{ state: 'submitted' }],
    })
    expect(body.data[0].events_count).toBe(body.data[0].events.length)
    expect((await list('')).body.data[0]).not.toHaveProperty('events')
  })

  it('is as thin as asked: items come unasked only while nobody says what they want', async () => {
    const has = async (query: string) => Object.hasOwn((await list(query)).body.data[0], 'items')
    expect(await has('')).toBe(true)
    for (const query of ['include=', 'include=itemsCount', 'fields[work_orders]=id,state']) expect(await has(query), query).toBe(false)
    for (const query of ['include=items', 'fields[work_orders]=id&include=items', 'fields[items]=id', 'include=&fields[items]=id'])
      expect(await has(query), query).toBe(true)
    for (const query of ['cursor=start&include=', 'cursor=start&fields[work_orders]=id']) expect(await has(query), query).toBe(false)
  })

  it('reads no documents of items that nobody asked for', async () => {
    const large = await startStory()
    try {
      const long = 'x'.repeat(100_000)
      for (let n = 0; n < 3; n++) await large.propose({ messages: [long] })
      const bytes = async (query: string) => (await large.reviewer.get(`/orders?${query}`)).text.length
      expect(await bytes('')).toBeGreaterThan(600_000)
      for (const query of [
        'include=&fields[work_orders]=id,state',
        'fields[work_orders]=id,state',
        'fields[work_orders]=id&fields[items]=id,state',
      ])
        expect(await bytes(query), query).toBeLessThan(3_000)
    } finally {
      await large.server.stop()
    }
  })

  it('sparse fields keep exactly what was asked, items included', async () => {
    const { body } = await list(
      'fields[work_orders]=state&fields[items]=id,state&fields[events]=kind&include=events&filter[state]=submitted',
    )
    expect(Object.keys(body.data[0]).sort()).toEqual(['events', 'items', 'state'])
    expect(Object.keys(body.data[0].items[0])).toEqual(['id', 'state'])
    expect(Object.keys(body.data[0].events[0])).toEqual(['kind'])
  })

  it('pages carry working links that keep the query and end', async () => {
    const first = (await list('per_page=2&sort=priority&fields[work_orders]=id')).body
    expect(first).toMatchObject({ current_page: 1, from: 1, to: 2, per_page: 2, total: 3, last_page: 2, prev_page_url: null })
    const follow = async (url: string) =>
      (await story.reviewer.get(url.startsWith('http') ? new URL(url).pathname + new URL(url).search : url)).body
    const second = await follow(first.next_page_url)
    expect(second).toMatchObject({ current_page: 2, from: 3, to: 3, next_page_url: null })
    expect([...first.data, ...second.data].map((order) => order.id)).toEqual([ids.low, ids.middle, ids.high])
    expect((await follow(second.prev_page_url)).data).toEqual(first.data)
    expect((await follow(first.last_page_url)).current_page).toBe(2)
    expect((await list('page[number]=9&page[size]=2')).body).toMatchObject({ data: [], from: null, to: null, total: 3 })
  })
})

describe('cursor paging', () => {
  it('returns everything that was there throughout exactly once, while others keep inserting', async () => {
    const crowd = await startStory()
    try {
      const known = await Promise.all(Array.from({ length: 40 }, (_, n) => crowd.propose({ messages: [`m${n}`] }, { priority: n % 5 })))
      // Many of one moment: only the id tells them apart.
      await crowd.server.database.sql(`update wm.orders set created_at = (select min(created_at) from wm.orders)`)
      const stop = new AbortController()
      const inserting = (async () => {
        for (let n = 0; !stop.signal.aborted; n++) await crowd.propose({ messages: ['late'] }, { priority: n % 5 })
      })()
      const seen: string[] = []
      let cursor: string | null = 'start'
      while (cursor) {
        const page: any = (await crowd.reviewer.get(`/orders?cursor=${encodeURIComponent(cursor)}&limit=7`)).body
        seen.push(...page.data.map((order: { id: string }) => order.id))
        cursor = page.next_cursor
        if (seen.length > 2000) break
      }
      stop.abort()
      await inserting
      expect(new Set(seen).size).toBe(seen.length)
      for (const order of known) expect(seen).toContain(order.id)
    } finally {
      await crowd.server.stop()
    }
  })

  it('refuses an edited cursor, one of another list, one with an impossible moment, and a sort beside it', async () => {
    const { next_cursor: cursor } = (await story.reviewer.get('/orders?cursor=start&limit=1')).body
    const { tools, tenants } = story.server.manager
    const seal = cursorSeal(tools.cursorSecret, (await tenants.ensure('acme', 'acme')).id)
    const [body, mac] = (cursor as string).split('.')
    const parts = (JSON.parse(Buffer.from(body!, 'base64url').toString()) as (string | number)[]).slice(1)
    // Even one that is signed as ours.
    const forged = (change: (parts: (string | number)[]) => (string | number)[]) => encodeCursor(seal, 'orders', change([...parts]))
    for (const bad of [
      `${cursor}x`,
      'nonsense',
      `${Buffer.from(JSON.stringify([9_999_999_999, ...parts])).toString('base64url')}.${mac}`,
      forged((p) => ['x', ...p.slice(1)]),
      forged((p) => [p[0]!, '2026-13-45T99:99:99.000000Z', p[2]!]),
      forged((p) => p.slice(0, 2)),
    ]) {
      const answer = await story.reviewer.get(`/orders?cursor=${bad}`)
      expect([answer.status, answer.body.code], answer.text).toEqual([400, 'cursor_invalid'])
    }
    expect((await story.reviewer.get(`/items?cursor=${cursor}`)).body.code).toBe('cursor_invalid')
    expect((await story.reviewer.get(`/events?cursor=${cursor}`)).body.code).toBe('cursor_invalid')
    const stranger = await story.server.caller('person', 'zoe', { tenant: 'globex' })
    expect((await stranger.get(`/orders?cursor=${cursor}`)).body.code).toBe('cursor_invalid')
    expect((await story.reviewer.get(`/orders?cursor=start&sort=priority`)).body.code).toBe('invalid_filter')
  })
})

describe('a long order', () => {
  it('shows the first 50 items of a long order, says how many are left out, and pages through all of them elsewhere', async () => {
    const order = await story.propose({ messages: Array.from({ length: 60 }, (_, n) => `long ${n}`) })
    const listed = (await story.reviewer.get(`/orders?filter[id]=${order.id}`)).body.data[0]
    expect([listed.items.length, listed.items_omitted]).toEqual([50, 10])
    const first = (await story.reviewer.get(`/items?order=${order.id}&limit=50`)).body
    const rest = (await story.reviewer.get(`/items?order=${order.id}&limit=50&cursor=${first.next_cursor}`)).body
    expect([...first.data, ...rest.data].map((item) => item.ordinal)).toEqual(Array.from({ length: 60 }, (_, n) => n))
  })
})
