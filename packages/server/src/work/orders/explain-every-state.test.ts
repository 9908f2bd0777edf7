/** Whatever state an order is in: one sentence says what it waits for and whose move it is, over HTTP and at the terminal. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type OrderState, orderStates } from '@work-manager/contract'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'

const narrow = defineOrderType({
  type: 'test.narrow',
  payload: Type.Object({ n: Type.Integer() }),
  result: Type.Object({}),
  maxLeases: 1,
  plan: ({ payload }) => Array.from({ length: payload.n }, () => ({ input: payload })),
  apply: (context) => context.diff({}, {}, 'nothing'),
})

let story: Story
beforeAll(async () => {
  story = await startStory({ types: [narrow] })
})
afterAll(() => story.server.stop())

const proposed = async () => (await story.propose({ messages: ['a', 'b'] })).id
const done = async (answer: Promise<{ status: number; text: string }>) => {
  const { status, text } = await answer
  expect(status, text).toBeLessThan(300)
}
async function handedIn(): Promise<string> {
  const id = await proposed()
  await story.fill(id)
  return id
}
async function withFailedItem(): Promise<string> {
  const id = await proposed()
  const item = await story.take(id)
  const error = { code: 'gone', message: 'It is gone.' }
  await done(story.agent.post(`/items/${item.id}/fail`, { lease_token: item.lease_token, class: 'permanent', error }))
  return id
}
/** States that are passed through inside one transaction: seen only by who looks at the table, and by nobody for long. */
async function put(id: string, state: OrderState): Promise<string> {
  await story.server.database.sql(
    `with off as (select set_config('session_replication_role', 'replica', true)) 
       update wm.orders set state = $2, approval_id = case when $2 = 'applied' then gen_random_uuid() end from off where id = $1`,
    [id, state],
  )
  return id
}

const ways: Record<OrderState, () => Promise<string>> = {
  queued: proposed,
  async checked_out() {
    const id = await proposed()
    await story.take(id)
    return id
  },
  async in_progress() {
    const id = await proposed()
    const item = await story.take(id)
    await done(story.agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }))
    return id
  },
  submitted: handedIn,
  async approved() {
    const id = await handedIn()
    const controller = new AbortController()
    // Nobody applies here, so the answer would be long in coming.
    const asked = story.reviewer.post(`/orders/${id}/approve`, {}, { signal: controller.signal }).catch(() => null)
    while ((await story.order(id)).state !== 'approved') await new Promise((resolve) => setImmediate(resolve))
    controller.abort()
    await asked
    return id
  },
  applied: async () => put(await handedIn(), 'applied'),
  async completed() {
    const id = await handedIn()
    await done(story.approve(id))
    return id
  },
  async rejected() {
    const id = await handedIn()
    await done(story.reviewer.post(`/orders/${id}/reject`, { errors: [{ code: 'no', message: 'No.' }] }))
    return id
  },
  failed: async () => put(await withFailedItem(), 'failed'),
  async dead_lettered() {
    const id = await withFailedItem()
    await story.server.run('dead-letterer')
    return id
  },
  async cancelled() {
    const id = await proposed()
    await done(story.proposer.post(`/orders/${id}/cancel`, { reason: 'not needed' }))
    return id
  },
}

const bin = fileURLToPath(new URL('../../../bin/work-manager.mjs', import.meta.url))
async function atTerminal(id: string): Promise<string> {
  const env = { ...process.env, WORK_MANAGER_URL: story.server.url, WORK_MANAGER_KEY: story.agent.key }
  const child = spawn(process.execPath, [bin, 'why', id, '--json'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number]
  expect(code).toBe(0)
  return said
}

describe.each(orderStates)('%s', (state) => {
  it('has one sentence, the same at both doors', async () => {
    const id = await ways[state]()
    const { body } = await story.agent.get(`/orders/${id}/why`)
    expect(body).toMatchObject({ order_id: id, state, waits_for: expect.stringMatching(/^(agent|person|server|nobody)$/) })
    expect(body.sentence, 'one sentence').toMatch(/^[A-Z].*[.]$/)
    expect(body.sentence).not.toMatch(/undefined|null|NaN/)
    expect(body.next).toMatch(/\S\.?$/)
    expect(JSON.parse(await atTerminal(id)).sentence).toBe(body.sentence)
  })
})

it('a dead letter says class, message, attempts and the command that brings it back', async () => {
  const id = await ways.dead_lettered()
  const { body } = await story.agent.get(`/orders/${id}/why`)
  expect(body.sentence).toMatch(/failed after 1 attempt \(permanent, 'gone'\): It is gone\.$/)
  expect(body.next).toContain(`work-manager orders requeue ${id} --reason`)
})

it('an order that waits for a person says where, as a whole address', async () => {
  const id = await handedIn()
  const { body } = await story.agent.get(`/orders/${id}/why`)
  expect(body.review_url).toBe(`${story.server.url}/api/work/orders/${id}/review`)
})

describe('what keeps ready items from being taken', () => {
  const why = async (id: string) => (await story.agent.get(`/orders/${id}/why`)).body

  it('a pause, with its reason; and after it is lifted the agents again', async () => {
    const id = await proposed()
    await done(story.reviewer.post('/pauses', { type: 'test.echo', reason: 'It deletes too much' }))
    expect(await why(id)).toMatchObject({
      waits_for: 'person',
      sentence: expect.stringMatching(/^Work of type 'test\.echo' is paused since 20.*: It deletes too much\.$/),
    })
    await done(story.reviewer.post('/pauses/lift', { type: 'test.echo', reason: 'fixed' }))
    expect(await why(id)).toMatchObject({ waits_for: 'agent', sentence: expect.stringContaining('check out 2 items') })
  })

  it('a limit on leases that leaves no room', async () => {
    const { id } = await story.propose({ n: 2 }, { type: 'test.narrow' })
    expect((await why(id)).sentence).toContain('check out 2 items')
    await story.take(id)
    expect(await why(id)).toMatchObject({
      waits_for: 'agent',
      sentence: expect.stringContaining("1 item of type 'test.narrow' under a lease"),
    })
  })
})
