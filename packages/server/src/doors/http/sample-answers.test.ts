/**
 * generated/sample-answers.json: for every operation a request and its answer, recorded from a real server; the documents show them.
 * What differs from run to run (ids, times, secrets, hashes, versions) is replaced. Written again with: npx vitest run <this file> -u
 */
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import echoType from '../../../../../examples/order-types/echo.ts'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { startStory, whileApplying, type Story } from '../../../testing/story.ts'
import type { Answer, Caller } from '../../../testing/test-server.ts'
import { operations } from '../../operations/index.ts'
import { defineGenerator } from '../../order-types/define-generator.ts'

interface Sample {
  readonly request: { readonly method: string; readonly path: string; readonly body?: unknown }
  readonly status: number
  readonly answer: unknown
}

const nightly = defineGenerator({
  name: 'nightly.echo',
  schedule: '0 3 * * *',
  generate: () => [{ type: 'example.echo', payload: { messages: ['good night'] }, key: 'night-1' }],
})
let story: Story
beforeAll(async () => {
  story = await startStory({ types: [echoType, essayType], generators: [nightly], config: { order_types: { shipped: false } } })
})
afterAll(() => story.server.stop())

it('every operation has a sample, and the documents show what the server says', async () => {
  const samples = await record(story)
  expect(Object.keys(samples).toSorted()).toEqual(operations.map(({ name }) => name).toSorted())
  const ordered = Object.fromEntries(operations.map(({ name }) => [name, samples[name]]))
  const target = fileURLToPath(new URL('generated/sample-answers.json', import.meta.url))
  await expect(`${JSON.stringify(steady(ordered), null, 2)}\n`).toMatchFileSnapshot(target)
})

async function record({ server, proposer, agent, reviewer }: Story): Promise<Record<string, Sample>> {
  const samples: Record<string, Sample> = {}
  const keep = async (name: string, path: string, body: unknown, asked: Promise<Answer>): Promise<any> => {
    const { status, body: answer, text } = await asked
    const operation = operations.find((one) => one.name === name)!
    expect(status, `${name}: ${text}`).toBe(operation.http.success)
    samples[name] = { request: { method: operation.http.method, path, ...(body !== undefined && { body }) }, status, answer }
    return answer
  }
  const post = (name: string, who: Caller, path: string, body?: object) => keep(name, path, body, who.post(path, body ?? {}))
  const get = (name: string, path: string) => keep(name, path, undefined, reviewer.get(path))
  const propose = async (messages: string[], more: object = {}) =>
    (await proposer.post('/propose', { type: 'example.echo', payload: { messages }, ...more })).body.order
  const take = async (order: { id: string }) => (await agent.post(`/orders/${order.id}/checkout`)).body.item
  const handIn = (item: any) =>
    agent.post(`/items/${item.id}/submit`, { lease_token: item.lease_token, result: { echoed: item.input.message } })

  const { order } = await post('propose_order', proposer, '/propose', {
    type: 'example.echo',
    payload: { messages: ['hello', 'again'] },
    priority: 5,
    meta: { ticket: 'T-17' },
  })
  const deferred = await propose(['later'], { defer_planning: true })
  await post('plan_order', proposer, `/orders/${deferred.id}/plan`)
  await post('cancel_order', proposer, `/orders/${deferred.id}/cancel`, { reason: 'No longer needed.' })

  const { item } = await post('checkout_item', agent, '/checkout', { type: 'example.echo', wait: 20 })
  await post('heartbeat_item', agent, `/items/${item.id}/heartbeat`, { lease_token: item.lease_token })
  const evidence = [{ url: 'https://example.com/source', retrieved_at: '2026-01-05T09:00:00Z', quote: 'hello' }]
  await post('submit_item', agent, `/items/${item.id}/submit`, {
    lease_token: item.lease_token,
    result: { echoed: item.input.message },
    evidence,
  })
  const second = await post('checkout_order_item', agent, `/orders/${order.id}/checkout`)
  await post('release_item', agent, `/items/${second.item.id}/release`, { lease_token: second.item.lease_token })
  await handIn(await take(order))
  await get('explain_order', `/orders/${order.id}/why`)
  const { digest } = (await get('get_order', `/orders/${order.id}`)).order
  const approval = { digest }
  await keep(
    'approve_order',
    `/orders/${order.id}/approve`,
    approval,
    whileApplying(server, reviewer.post(`/orders/${order.id}/approve`, approval)),
  )

  const book = (await proposer.post('/propose', { type: 'test.essay', payload: { titles: ['On work'] } })).body.order
  const page = await take(book)
  await post('submit_part', agent, `/items/${page.id}/parts`, { lease_token: page.lease_token, part_key: 'body', payload: essay.body })
  await get('list_parts', `/items/${page.id}/parts`)
  await post('finalize_item', agent, `/items/${page.id}/finalize`, { lease_token: page.lease_token, mode: 'strict' })
  await get('get_item', `/items/${page.id}`)
  await post('reject_order', reviewer, `/orders/${book.id}/reject`, {
    errors: [{ field: 'body.text', code: 'too_short', message: 'Say more.' }],
    allow_rework: true,
  })

  const refused = await propose(['wrong'])
  await handIn(await take(refused))
  await reviewer.post(`/orders/${refused.id}/reject`, {
    errors: [{ code: 'not_wanted', message: 'We do not want this.' }],
    allow_rework: false,
  })
  await post('requeue_order', reviewer, `/orders/${refused.id}/requeue`, { reason: 'We want it after all.' })
  const broken = await take(refused)
  await post('fail_item', agent, `/items/${broken.id}/fail`, {
    lease_token: broken.lease_token,
    class: 'permanent',
    error: { code: 'source_gone', message: 'The source is gone.' },
  })
  await server.run('dead-letterer')
  await post('requeue_item', reviewer, `/items/${broken.id}/requeue`, { reason: 'The source is back.' })

  await server.run('sequencer')
  await get('list_order_types', '/types')
  await get('list_orders', '/orders?filter[state]=completed&sort=-created_at&page[size]=10')
  await get('list_items', `/items?order=${order.id}&limit=1`)
  await get('get_item_logs', `/items/${item.id}/logs?limit=1`)
  await get('get_order_logs', `/orders/${order.id}/logs?limit=1`)
  await get('get_order_timeline', `/orders/${order.id}/timeline?limit=1`)
  await get('list_events', '/events?kind=item.submitted&limit=1')
  await get('list_provenance', '/provenance?agent_id=agent-1')
  await get('list_records', '/records/echoes?limit=1')
  await get('export_ledger', '/ledger?after=0&limit=1')

  const { id } = await post('create_key', reviewer, '/keys', {
    kind: 'agent',
    principal_id: 'auditor-1',
    name: 'The auditor',
    abilities: ['work:view', 'work:checkout', 'work:heartbeat', 'work:submit'],
  })
  await get('list_keys', '/keys')
  const rotated = await post('rotate_key', reviewer, `/keys/${id}/rotate`, {})
  await post('revoke_key', reviewer, `/keys/${rotated.id}/revoke`, {})
  await get('get_status', '/status')

  const held = await take(refused)
  await post('extend_leases', reviewer, '/leases/extend', {
    order: held.order_id,
    ttl_seconds: 900,
    reason: 'The agent asked for more time.',
  })
  await post('revoke_leases', reviewer, '/leases/revoke', { agent: 'agent-1', reason: 'The agent is being replaced.' })
  await post('reclaim_leases', reviewer, '/leases/reclaim', {})
  await post('run_generators', reviewer, '/generators/run', { generator: 'nightly.echo' })
  await post('run_maintenance', reviewer, '/maintenance', {})
  await post('purge_idempotency_keys', reviewer, '/idempotency-keys/purge', { older_than_seconds: 86_400 })
  return samples
}

/** Members whose value says something of this run only. */
const fixed: Readonly<Record<string, string>> = {
  lease_token: 'wl.1.1.q3V0bGVhc2U',
  next_cursor: 'WyJjdXJzb3IiXQ',
  prefix: '3tXa9Kq2',
  user_agent: 'my-agent/1.0',
  lease_expires_at: '2026-01-05T09:10:00.000000Z',
}
const apiKey = 'wm_a_3tXa9Kq2…'

/** The same text for the same run, whatever its ids, times and software; lists of objects cut to their first entry. */
function steady(value: unknown): unknown {
  const seen = new Map<string, string>()
  const nth = (text: string, make: (n: number) => string): string => {
    if (!seen.has(text)) seen.set(text, make(seen.size + 1))
    return seen.get(text)!
  }
  const ofText = (text: string): string =>
    text
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) =>
        nth(id, (n) => `019b8c1e-4000-7000-8000-${String(n).padStart(12, '0')}`),
      )
      .replaceAll(/\b[0-9a-f]{64}\b/g, (digest) => nth(digest, (n) => createHash('sha256').update(`sample ${n}`).digest('hex')))
      .replaceAll(/\b20\d\d-\d\d-\d\dT[\d:]{8}(\.\d+)?(Z|\+00:00)/g, '2026-01-05T09:00:00.000000Z')
      .replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, 'http://127.0.0.1:7420')
  const walk = (node: unknown, name: string): unknown => {
    if (Array.isArray(node)) return (typeof node[0] === 'object' ? node.slice(0, 1) : node).map((entry) => walk(entry, ''))
    if (typeof node === 'object' && node !== null)
      return Object.fromEntries(
        Object.entries(node).map(([key, inner]) => [
          ofText(key),
          walk(inner, name === 'database' && key === 'version' ? 'postgresql' : key),
        ]),
      )
    if (typeof node !== 'string') return node
    if (name === 'postgresql') return '18.4'
    if (/^wm_[a-z]_/.test(node)) return apiKey
    return fixed[name] ?? ofText(node)
  }
  return walk(value, '')
}
