/** What the cases of the work-order system prepare: an order as far as a verb needs it. */
import { whileApplying } from './story.ts'
import { done, type Input, type Side } from './cases.ts'
import { essay } from './essay-type.ts'

export async function propose({ service, mark }: Side, more: Input = {}): Promise<string> {
  const order = { type: 'test.echo', payload: { messages: [mark] }, meta: { label: mark }, ...more }
  return done(await service.post('/propose', order)).body.order.id as string
}

export interface Held {
  readonly order: string
  readonly item: string
  readonly lease_token: string
}

export async function take({ agent }: Side, order: string): Promise<Held> {
  const { item } = done(await agent.post(`/orders/${order}/checkout`, {}, { key: null })).body
  return { order, item: item.id, lease_token: item.lease_token }
}

export const lease = async (side: Side, more: Input = {}): Promise<Held> => take(side, await propose(side, more))
export const leaseParts = (side: Side): Promise<Held> => lease(side, { type: 'test.parts', payload: { message: side.mark } })
export const part = (side: Side) => ({ part_key: 'one', payload: { text: side.mark } })
export const echo = (side: Side) => ({ result: { echoed: side.mark, ok: true } })

export async function submit(side: Side): Promise<Held> {
  const held = await lease(side)
  done(await side.agent.post(`/items/${held.item}/submit`, { lease_token: held.lease_token, ...echo(side) }))
  return held
}

export const failure = { class: 'permanent', error: { code: 'broken', message: 'cannot be done' } }
export async function fail(side: Side): Promise<Held> {
  const held = await lease(side)
  done(await side.agent.post(`/items/${held.item}/fail`, { lease_token: held.lease_token, ...failure }))
  return held
}

export const orderOf = async (made: Promise<{ order: string }>): Promise<Input> => ({ order: (await made).order })
export const itemOf = async (made: Promise<{ item: string }>): Promise<Input> => ({ item: (await made).item })
export const heldItem = async (made: Promise<Held>): Promise<Input> => {
  const { item, lease_token } = await made
  return { item, lease_token }
}

/** What the references show: an order of the example type, with two items. */
export const shownOrder = { type: 'example.echo', payload: { messages: ['hello', 'again'] }, priority: 5, meta: { ticket: 'T-17' } }
export const proposeShown = (side: Side, more: Input = {}): Promise<string> => propose(side, { ...shownOrder, ...more })
export const takeShown = async (side: Side): Promise<Held> => take(side, await proposeShown(side))
export const evidence = [{ url: 'https://example.com/source', retrieved_at: '2026-01-05T09:00:00Z', quote: 'hello' }]

export async function handInShown(side: Side, order: string, echoed: string): Promise<Held> {
  const held = await take(side, order)
  const result = { lease_token: held.lease_token, result: { echoed }, evidence }
  done(await side.agent.post(`/items/${held.item}/submit`, result))
  return held
}

/** Both items handed in; `item` is the first. */
export async function submitShown(side: Side): Promise<Held> {
  const order = await proposeShown(side)
  const first = await handInShown(side, order, 'hello')
  await handInShown(side, order, 'again')
  return first
}

/** Approved and applied, with its events numbered. */
export async function applyShown(side: Side): Promise<Held> {
  const held = await submitShown(side)
  done(await whileApplying(side.server, side.person.post(`/orders/${held.order}/approve`)))
  await side.server.run('sequencer')
  return held
}

/** An item of the example type whose order was rejected for good. */
export async function rejectShown(side: Side): Promise<string> {
  const { order } = await submitShown(side)
  const verdict = { errors: [{ code: 'not_wanted', message: 'We do not want this.' }], allow_rework: false }
  done(await side.person.post(`/orders/${order}/reject`, verdict))
  return order
}

export async function essayWithPart(side: Side): Promise<Held> {
  const held = await lease(side, { type: 'test.essay', payload: { titles: ['On work'] } })
  const body = { lease_token: held.lease_token, part_key: 'body', payload: essay.body }
  done(await side.agent.post(`/items/${held.item}/parts`, body))
  return held
}
