/** One working call per operation that names an id, prepared the same way for any tenant: what the tenancy matrix walks over. */
import { expect } from 'vitest'
import Type from 'typebox'
import { defineOrderType } from '../src/work/order-types/define-order-type.ts'
import type { Answer, Caller } from './test-server.ts'

export type Input = Record<string, unknown>
export interface Side {
  readonly agent: Caller
  readonly person: Caller
  /** Stands in everything that this side writes, so that it can be looked for elsewhere. */
  readonly mark: string
}

export const partsType = defineOrderType({
  type: 'test.parts',
  payload: Type.Object({ message: Type.String() }),
  result: Type.Object({ one: Type.Object({ text: Type.String() }) }),
  parts: { required: () => ['one'], schemas: { one: Type.Object({ text: Type.String() }) } },
  apply: (context) => context.diff({}, {}, 'nothing'),
})

function done(answer: Answer): Answer {
  expect(answer.status, answer.text).toBeLessThan(300)
  return answer
}

export async function propose({ agent, mark }: Side, more: Input = {}): Promise<string> {
  return done(await agent.post('/propose', { type: 'test.echo', payload: { messages: [mark] }, meta: { label: mark }, ...more })).body.order
    .id as string
}

async function lease(side: Side, more: Input = {}): Promise<{ order: string; item: string; lease_token: string }> {
  const order = await propose(side, more)
  const { item } = done(await side.agent.post(`/orders/${order}/checkout`, {}, { key: null })).body
  return { order, item: item.id, lease_token: item.lease_token }
}
const leaseParts = (side: Side) => lease(side, { type: 'test.parts', payload: { message: side.mark } })
const part = (side: Side) => ({ part_key: 'one', payload: { text: side.mark } })
const echo = (side: Side) => ({ result: { echoed: side.mark, ok: true } })

async function submit(side: Side): Promise<{ order: string; item: string }> {
  const { order, item, lease_token } = await lease(side)
  done(await side.agent.post(`/items/${item}/submit`, { lease_token, ...echo(side) }))
  return { order, item }
}
const failure = { class: 'permanent', error: { code: 'broken', message: 'cannot be done' } }
async function fail(side: Side): Promise<{ order: string; item: string }> {
  const { order, item, lease_token } = await lease(side)
  done(await side.agent.post(`/items/${item}/fail`, { lease_token, ...failure }))
  return { order, item }
}
async function makeKey({ person, mark }: Side): Promise<Input> {
  return { key: done(await person.post('/keys', { name: mark, kind: 'agent', principal_id: 'agent-1', abilities: ['work:view'] })).body.id }
}
const held = async (side: Side): Promise<Input> => {
  const { item, lease_token } = await lease(side)
  return { item, lease_token }
}
const orderOf = async (made: Promise<{ order: string }>): Promise<{ order: string }> => ({ order: (await made).order })
const itemOf = async (made: Promise<{ item: string }>): Promise<{ item: string }> => ({ item: (await made).item })

/** Operation → what makes a call of it succeed. An operation that takes an id and is not here fails the matrix. */
export const cases: Readonly<Record<string, (side: Side) => Promise<Input>>> = {
  plan_order: async (side) => ({ order: await propose(side, { defer_planning: true }) }),
  checkout_order_item: async (side) => ({ order: await propose(side) }),
  heartbeat_item: held,
  submit_item: async (side) => ({ ...(await held(side)), ...echo(side) }),
  async submit_part(side) {
    const { item, lease_token } = await leaseParts(side)
    return { item, lease_token, ...part(side) }
  },
  async finalize_item(side) {
    const { item, lease_token } = await leaseParts(side)
    done(await side.agent.post(`/items/${item}/parts`, { lease_token, ...part(side) }))
    return { item, lease_token }
  },
  release_item: held,
  fail_item: async (side) => ({ ...(await held(side)), ...failure }),
  approve_order: (side) => orderOf(submit(side)),
  async reject_order(side) {
    const { order, item } = await submit(side)
    return { order, allow_rework: true, items: [item], errors: [{ code: 'again', message: side.mark, item_id: item }] }
  },
  cancel_order: async (side) => ({ order: await propose(side), reason: side.mark }),
  requeue_order: async (side) => ({ ...(await orderOf(fail(side))), reason: side.mark }),
  requeue_item: async (side) => ({ ...(await itemOf(fail(side))), reason: side.mark }),
  get_order: (side) => orderOf(submit(side)),
  explain_order: (side) => orderOf(submit(side)),
  list_items: (side) => orderOf(submit(side)),
  get_item: (side) => itemOf(submit(side)),
  list_parts: async (side) => itemOf(leaseParts(side)),
  get_item_logs: (side) => itemOf(submit(side)),
  get_order_logs: (side) => orderOf(submit(side)),
  get_order_timeline: (side) => orderOf(submit(side)),
  async list_provenance(side) {
    const { order } = await submit(side)
    const { events } = done(await side.agent.get(`/orders/${order}/logs`)).body
    return { id: events.find((event: { provenance_id: string | null }) => event.provenance_id).provenance_id }
  },
  revoke_leases: async (side) => ({ ...(await orderOf(lease(side))), reason: side.mark }),
  extend_leases: async (side) => ({ ...(await orderOf(lease(side))), reason: side.mark, ttl_seconds: 3600 }),
  reclaim_leases: async (side) => ({ ...(await orderOf(lease(side))), reason: side.mark }),
  rotate_key: makeKey,
  revoke_key: makeKey,
}
