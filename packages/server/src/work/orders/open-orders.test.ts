/** One proposer cannot bury the work and the reviewers of a tenant. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'

let story: Story
beforeAll(async () => {
  story = await startStory({ config: { propose: { max_open_per_principal: 5 } } })
})
afterAll(() => story.server.stop())

it('a principal has so many open orders and no more; another one is not concerned, and what is decided makes room', async () => {
  const propose = (who = story.proposer, headers = {}) =>
    who.post('/propose', { type: 'test.echo', payload: { messages: ['x'] } }, { headers })
  const made = []
  for (let n = 0; n < 5; n++) {
    // Names of agents are no way past it.
    const answer = await propose(story.proposer, { 'x-agent-id': `agent-${n}` })
    expect(answer.status, answer.text).toBe(201)
    made.push(answer.body.order.id)
  }
  const refused = await propose()
  expect([refused.status, refused.body.code, refused.body.max]).toEqual([409, 'too_many_open_orders', 5])
  expect(refused.headers.get('retry-after')).toBe('60')
  expect((await propose(story.agent)).status).toBe(201)
  await story.reviewer.post(`/orders/${made[0]}/cancel`, { reason: 'Not needed.' })
  expect((await propose()).status).toBe(201)
  expect((await propose()).status).toBe(409)
})
