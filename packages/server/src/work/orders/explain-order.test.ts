import { afterAll, beforeAll, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'

let story: Story
beforeAll(async () => {
  story = await startStory({ config: { server: { public_url: 'https://work.example.org' } } })
})
afterAll(() => story.server.stop())

const why = async (id: string) => (await story.agent.get(`/orders/${id}/why`)).body

it('follows an order through its life', async () => {
  const order = await story.propose({ messages: ['a', 'b'] })
  expect(await why(order.id)).toMatchObject({
    order_id: order.id,
    type: 'test.echo',
    state: 'queued',
    waits_for: 'agent',
    sentence: expect.stringContaining('check out 2 items'),
    review_url: null,
  })
  const first = await story.take(order.id)
  const second = await story.take(order.id)
  expect((await why(order.id)).sentence).toMatch(
    /waits for agent-1 to hand in 2 items \(0 of 2 items handed in\); the first lease ends at 20\d\d-.*Z/,
  )
  await story.submit(first)
  await story.agent.post(`/items/${second.id}/fail`, {
    lease_token: second.lease_token,
    class: 'transient',
    error: { code: 'down', message: 'The site was down.' },
  })
  expect(await why(order.id)).toMatchObject({ waits_for: 'server', sentence: expect.stringContaining('next attempt at 1 item') })
  await story.server.database.sql(`update wm.items set available_at = clock_timestamp() where id = $1`, [second.id])
  await story.server.run('retry-scheduler')
  await story.submit(await story.take(order.id))
  expect(await why(order.id)).toMatchObject({
    state: 'submitted',
    waits_for: 'person',
    review_url: `https://work.example.org/api/work/orders/${order.id}/review`,
  })
  await story.approve(order.id)
  expect(await why(order.id)).toMatchObject({ state: 'completed', waits_for: 'nobody', review_url: null })
})

it('knows nothing of orders that do not exist', async () => {
  expect((await story.agent.get('/orders/01890a5d-ac96-774b-bcce-b302099a8057/why')).status).toBe(404)
})
