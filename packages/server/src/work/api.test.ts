import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemActor } from '../kernel/store/events.ts'
import { startStory, type Story } from '../../testing/story.ts'
import { approveOrder, findOrder, followOrder, prepareOrder, proposeOrder, wakeAgents } from './api.ts'

let story: Story
let tenantId: string
const actor = systemActor('sprint-planner')
beforeAll(async () => {
  story = await startStory()
  tenantId = (await story.server.manager.tenants.ensure('acme', 'acme')).id
})
afterAll(() => story.server.stop())

const tools = () => story.server.manager.tools
const wanted = { type: 'test.echo', payload: { messages: ['hi'] } }
const find = (id: string) => tools().db.read(tenantId, (q) => findOrder(q, id))

it('an order is proposed in the transaction of another system, and falls with it', async () => {
  const lost = await prepareOrder(tools(), wanted)
  await expect(
    tools().db.transaction(tenantId, async (tx) => {
      await proposeOrder(tx, tools(), actor, lost)
      throw new Error('the sprint could not be written')
    }),
  ).rejects.toThrow('could not be written')
  expect(await find(lost.id)).toBeUndefined()

  const kept = await prepareOrder(tools(), wanted)
  await tools().db.transaction(tenantId, (tx) => proposeOrder(tx, tools(), actor, kept))
  wakeAgents(tools(), tenantId)
  expect(await find(kept.id)).toEqual({ id: kept.id, type: 'test.echo', state: 'queued' })
  expect(await story.kinds(kept.id)).toEqual(['order.proposed', 'order.planned'])
})

it('what the type does not take is refused before anything is written', async () => {
  await expect(prepareOrder(tools(), { ...wanted, type: 'test.ecko' })).rejects.toMatchObject({ code: 'order_type_not_found' })
  await expect(prepareOrder(tools(), { ...wanted, payload: {} })).rejects.toMatchObject({ code: 'payload_invalid' })
})

it('an order is approved under the duties that hold at every door, and followed to its end', async () => {
  const order = await story.propose()
  await story.fill(order.id)
  const { digest } = await story.order(order.id)
  const decision = { orderId: order.id, actor, decider: { principal: 'person:rita', kind: 'person' as const, keyId: null } }
  const early = await story.propose()
  await expect(approveOrder(tools(), tenantId, { ...decision, orderId: early.id, digest })).rejects.toMatchObject({
    code: 'not_ready_for_approval',
  })
  await expect(
    approveOrder(tools(), tenantId, { ...decision, digest, decider: { principal: 'agent:agent-1', kind: 'agent', keyId: null } }),
  ).rejects.toMatchObject({ code: 'agents_cannot_decide' })
  await expect(approveOrder(tools(), tenantId, { ...decision, digest: 'sha256:other' })).rejects.toMatchObject({ code: 'content_changed' })
  await approveOrder(tools(), tenantId, { ...decision, digest })
  expect(await followOrder(tools(), tenantId, order.id, 0)).toMatchObject({ state: 'approved' })
  const followed = followOrder(tools(), tenantId, order.id, 20_000)
  await story.server.run('applier')
  expect(await followed).toMatchObject({ id: order.id, state: 'completed' })
})

it('another tenant has no such order', async () => {
  const order = await story.propose()
  const other = await story.server.manager.tenants.ensure('globex', 'globex')
  expect(await tools().db.read(other.id, (q) => findOrder(q, order.id))).toBeUndefined()
  expect(await followOrder(tools(), other.id, order.id, 0)).toBeUndefined()
})
