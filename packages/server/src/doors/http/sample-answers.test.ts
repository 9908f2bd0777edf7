/**
 * generated/sample-answers.json: for every operation a request and its answer, recorded from a real server; the documents show them.
 * What differs from run to run (ids, times, secrets, hashes, versions) is replaced. Written again with: npx vitest run <this file> -u
 */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import echoType from '../../../../../examples/order-types/echo.ts'
import { essay, essayType } from '../../../testing/essay-type.ts'
import { startStory, whileApplying, type Story } from '../../../testing/story.ts'
import type { Answer, Caller } from '../../../testing/test-server.ts'
import { operations } from '../../systems.ts'
import { defineGenerator } from '../../work/generators/define-generator.ts'

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
let directory: string
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'work-manager-samples-'))
  const publishers = { use: ['file'], file_path: path.join(directory, 'events.ndjson') }
  story = await startStory({ types: [echoType, essayType], generators: [nightly], config: { order_types: { shipped: false }, publishers } })
})
afterAll(async () => {
  await story.server.stop()
  await rm(directory, { recursive: true })
})

it('every operation has a sample, and the documents show what the server says', async () => {
  const samples = await record(story)
  expect(Object.keys(samples).toSorted()).toEqual(operations.map(({ name }) => name).toSorted())
  const ordered = Object.fromEntries(operations.map(({ name }) => [name, samples[name]]))
  const target = fileURLToPath(new URL('generated/sample-answers.json', import.meta.url))
  await expect(`${JSON.stringify(steady(ordered), null, 2)}\n`).toMatchFileSnapshot(target)
})

async function record({ server, proposer, agent, reviewer }: Story): Promise<Record<string, Sample>> {
  const samples: Record<string, Sample> = {}
  const keep = async (name: string, route: string, body: unknown, asked: Promise<Answer>): Promise<any> => {
    const { status, body: answer, text } = await asked
    const operation = operations.find((one) => one.name === name)!
    expect(status, `${name}: ${text}`).toBe(operation.http.success)
    samples[name] = { request: { method: operation.http.method, path: route, ...(body !== undefined && { body }) }, status, answer }
    return answer
  }
  const post = (name: string, who: Caller, route: string, body?: object) => keep(name, route, body, who.post(route, body ?? {}))
  const get = (name: string, route: string) => keep(name, route, undefined, reviewer.get(route))
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
  await post('pause', reviewer, '/pauses', { agent: 'crawler-1', reason: 'It deletes what it should read.' })
  await get('list_pauses', '/pauses')
  await post('resume', reviewer, '/pauses/lift', { agent: 'crawler-1', reason: 'Its prompt is corrected.' })
  await post('run_generators', reviewer, '/generators/run', { generator: 'nightly.echo' })
  await post('run_maintenance', reviewer, '/maintenance', {})
  await post('purge_idempotency_keys', reviewer, '/idempotency-keys/purge', { older_than_seconds: 86_400 })
  await server.run('sequencer')
  await server.run('publisher-file')
  await get('list_publishers', '/publishers')
  await post('move_publisher_cursor', reviewer, '/publishers/file/cursor', { seq: 0, reason: 'The consumer lost its copy.' })
  await refuse(server, [1, 2])
  await get('list_parked_messages', '/parked-messages?publisher=file')
  await post('retry_parked_messages', reviewer, '/parked-messages/retry', { publisher: 'file', seq: 1, reason: 'The limit is raised.' })
  await post('discard_parked_message', reviewer, '/parked-messages/discard', { publisher: 'file', seq: 2, reason: 'Nobody needs it.' })
  return samples
}

/** As if the receiver had refused these facts: a file refuses none. */
async function refuse({ database }: Story['server'], seqs: number[]): Promise<void> {
  await database.sql(
    `insert into wm.parked_messages (tenant_id, publisher, seq, state, event_id, order_id, kind, reason, tries, first_refused_at, last_refused_at)
     select e.tenant_id, 'file', e.seq, 'parked', e.id, e.order_id, e.kind, 'too large for the stream', 5, now(), now()
       from record e where e.seq = any ($1)`,
    [seqs],
  )
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
