/** The commands of operations against a real server: what each one does and how it ends. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expireLease } from '../../testing/row-gate.ts'
import { startStory, type Story } from '../../testing/story.ts'
import { partsType } from '../../testing/parts-type.ts'
import type { Caller } from '../../testing/test-server.ts'
import { defineGenerator } from '../work/generators/define-generator.ts'

const bin = fileURLToPath(new URL('../../bin/work-manager.mjs', import.meta.url))
const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(WORK_MANAGER_|DATABASE_|NODE_ENV)/.test(name)))
const yearly = defineGenerator({
  name: 'yearly.one',
  schedule: '0 0 1 1 *',
  generate: () => [{ type: 'test.echo', payload: { messages: ['found'] } }],
})
let story: Story
let cwd: string
beforeAll(async () => {
  story = await startStory({ types: [partsType], generators: [yearly] })
  cwd = await mkdtemp(path.join(tmpdir(), 'wm-commands-'))
})
afterAll(async () => {
  await story.server.stop()
  await rm(cwd, { recursive: true, force: true })
})

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}
function run(who: Caller, args: string[], options: { env?: Record<string, string>; input?: string } = {}): Promise<Ended> {
  const env = { ...inherited, WORK_MANAGER_URL: story.server.url, WORK_MANAGER_KEY: who.key, ...options.env }
  const child = spawn(process.execPath, [bin, ...args], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(options.input ?? '')
  const ended: Ended = { code: null, stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (ended.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (ended.stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...ended, code }))
  })
}
async function json(who: Caller, args: string[], options: { env?: Record<string, string>; input?: string } = {}): Promise<any> {
  const { code, stdout, stderr } = await run(who, args, options)
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

describe('an agent in a shell', () => {
  test('proposes, takes, beats, hands in and reads, by the friendly names', async () => {
    const { order } = await json(story.proposer, [
      'orders',
      'propose',
      'test.echo',
      '--payload',
      '{"messages":["hi","ho"]}',
      '--priority',
      '9',
      '--meta',
      '{"team":"blue"}',
    ])
    expect(order).toMatchObject({ state: 'queued', priority: 9, meta: { team: 'blue' } })
    const { item } = await json(story.agent, ['items', 'checkout', order.id])
    expect(await json(story.agent, ['items', 'heartbeat', item.id, '--lease-token', item.lease_token])).toHaveProperty('lease_expires_at')
    const result = JSON.stringify({ echoed: item.input.message, ok: true })
    const wrong = await run(story.agent, [
      'items',
      'submit',
      item.id,
      '--lease-token',
      item.lease_token,
      '--result',
      '{"echoed":"no","ok":true}',
    ])
    expect(wrong.code).toBe(5)
    expect(wrong.stderr).toContain('error[verification_failed]')
    await writeFile(path.join(cwd, 'result.json'), result)
    const submit = [
      'items',
      'submit',
      item.id,
      '--lease-token',
      item.lease_token,
      '--result',
      '@result.json',
      '--idempotency-key',
      `once-${item.id}`,
    ]
    const first = await json(story.agent, submit)
    expect(first).toMatchObject({ item: { state: 'submitted' } })
    expect(await json(story.agent, submit)).toEqual(first)
    expect(await json(story.agent, ['orders', 'why', order.id])).toMatchObject({ waits_for: 'agent' })
    const other = (await json(story.agent, ['items', 'checkout', '--type', 'test.echo', '--min-priority', '9'])).item
    expect(
      await json(story.agent, ['items', 'fail', other.id, '--input', '-'], {
        input: JSON.stringify({ lease_token: other.lease_token, class: 'transient', error: { code: 'down', message: 'It answers 503.' } }),
      }),
    ).toMatchObject({ will_retry: true })
    const { events } = await json(story.agent, ['items', 'logs', item.id, '--limit', '5'])
    expect(events.map((event: { kind: string }) => event.kind)).toContain('item.submitted')
    expect(await json(story.agent, ['items', 'show', item.id])).toMatchObject({ item: { id: item.id } })
    expect((await run(story.agent, ['orders', 'timeline', order.id])).code).toBe(0)
  })

  test('hands in parts and finalizes', async () => {
    const { order } = await json(story.proposer, ['orders', 'propose', 'test.parts', '--payload', '{"message":"x"}'])
    const { item } = await json(story.agent, ['items', 'checkout', order.id])
    await json(story.agent, ['items', 'part', item.id, 'one', '--lease-token', item.lease_token, '--payload', '-'], {
      input: '{"text":"one"}',
    })
    expect((await json(story.agent, ['items', 'parts', item.id])).parts).toMatchObject([{ part_key: 'one', status: 'validated' }])
    expect(await json(story.agent, ['items', 'finalize', item.id, '--lease-token', item.lease_token])).toMatchObject({
      item: { state: 'submitted' },
    })
  })

  test('calls any operation by its name; wrong words teach', async () => {
    const { data } = await json(story.agent, ['call', 'list_orders', '--filter', '{"type":"test.parts"}', '--limit', '1'])
    expect(data).toHaveLength(1)
    for (const [args, advice] of [
      [['call', 'list_order', '--limit', '1'], 'did you mean'],
      [['call', 'submit_item', data[0].id], '--result is missing'],
      [['orders', 'propose', 'test.echo', '--payload', '{nope'], '--payload is not JSON'],
      [['orders', 'propose', 'test.echo', '--payload', '{"n":1234567890.123456789}'], 'cannot be kept exactly'],
      [['orders', 'propose', 'test.echo', '--payload', '@missing.json'], 'cannot be read (ENOENT)'],
      [['events', '--limit', 'many'], 'whole number'],
      [['items', 'fail', data[0].id, '--class', 'lazy'], 'transient'],
    ] as const) {
      const { code, stderr } = await run(story.agent, [...args])
      expect(stderr).toContain(advice)
      expect(code).toBe(2)
    }
  })
})

describe('orders and items brought back', () => {
  async function failed(message: string): Promise<{ order: string; item: string }> {
    const order = await story.propose({ messages: [message] }, { meta: { kept: true }, priority: 4 })
    const item = await story.take(order.id)
    await story.agent.post(`/items/${item.id}/fail`, {
      lease_token: item.lease_token,
      class: 'permanent',
      error: { code: 'broken', message: 'no' },
    })
    await story.server.database.sql(`update wm.items set updated_at = clock_timestamp() - interval '30 days' where id = $1`, [item.id])
    await story.reviewer.post('/maintenance', { dead_letter: true })
    return { order: order.id, item: item.id }
  }

  test('orders requeue: in bulk, dry, asked for in production, with a reason', async () => {
    const [one, two] = [await failed('one'), await failed('two')]
    const bulk = ['orders:requeue', '--state', 'dead_lettered', '--type', 'test.echo']
    const dry = await json(story.reviewer, [...bulk, '--dry-run'])
    expect(dry.would_requeue.map((order: { id: string }) => order.id).toSorted()).toEqual([one.order, two.order].toSorted())
    const silent = await run(story.reviewer, bulk)
    expect([silent.code, silent.stderr]).toEqual([2, expect.stringContaining('--reason')])
    const careful = await run(story.reviewer, [...bulk, '--reason', 'again'], { env: { NODE_ENV: 'production' } })
    expect([careful.code, careful.stderr]).toEqual([2, expect.stringContaining('--force')])
    expect((await story.order(one.order)).state).toBe('dead_lettered')
    const done = await json(story.reviewer, [...bulk, '--reason', 'again', '--force'], { env: { NODE_ENV: 'production' } })
    expect(done.requeued).toHaveLength(2)
    expect((await story.order(two.order)).state).toBe('queued')
    expect((await story.events(one.order, 'order.requeued')).at(-1)).toMatchObject({ actor_id: 'rita', payload: { reason: 'again' } })
    const twice = await run(story.reviewer, ['orders', 'requeue', one.order, '--reason', 'again'])
    expect(twice.code).toBe(6)
    expect((await run(story.agent, ['orders', 'requeue', one.order, '--reason', 'x'])).code).toBe(4)
  })

  test('items retry, and the refusal of some of many', async () => {
    const { order, item } = await failed('three')
    expect(await json(story.reviewer, ['items', 'retry', '--order', order, '--dry-run'])).toMatchObject({ would_requeue: [{ id: item }] })
    expect(await json(story.reviewer, ['items', 'retry', '--order', order, '--reason', 'fixed'])).toEqual({ requeued: [item], refused: [] })
    const some = await run(story.reviewer, ['items', 'retry', '--order', order, '--state', 'queued', '--reason', 'x'])
    expect([some.code, some.stderr]).toEqual([5, expect.stringContaining('error[some_refused]')])
  })

  test('orders clone proposes a copy once planned, with labels and priority', async () => {
    const { order } = await failed('four')
    const copy = await json(story.proposer, ['dead-letter:clone', order])
    expect(copy).toMatchObject({
      items_count: 1,
      order: { type: 'test.echo', priority: 4, payload: { messages: ['four'] }, meta: { kept: true, cloned_from: order } },
    })
    expect((await run(story.proposer, ['orders', 'clone', '01890a5d-ac96-774b-bcce-b302099a8057'])).code).toBe(5)
  })

  test('orders review takes one verdict, with a reason for a rejection', async () => {
    const order = await story.propose({ messages: ['review me'] })
    await story.submit(await story.take(order.id))
    expect((await run(story.reviewer, ['orders:review', order.id])).code).toBe(2)
    expect((await run(story.reviewer, ['orders:review', order.id, '--reject'])).stderr).toContain('--reason')
    const { order: after } = await json(story.reviewer, ['orders:review', order.id, '--reject', '--reason', 'too short', '--allow-rework'])
    expect(after.state).toBe('queued')
  })
})

describe('operators', () => {
  test('lease release, extend and reclaim: selected, dry, with a reason', async () => {
    const order = await story.propose({ messages: ['a', 'b'] })
    const one = await story.take(order.id)
    const two = await story.take(order.id)
    expect((await run(story.reviewer, ['lease', 'release', '--reason', 'x'])).stderr).toContain('--all')
    expect((await run(story.reviewer, ['lease', 'release', '--order', order.id])).stderr).toContain('--reason')
    expect((await run(story.agent, ['lease', 'release', '--order', order.id, '--reason', 'x'])).code).toBe(4)
    const extended = await json(story.reviewer, [
      'lease:extend',
      '--agent',
      'agent-1',
      '--order',
      order.id,
      '--ttl',
      '2h',
      '--reason',
      'long',
    ])
    expect(extended.leases).toHaveLength(2)
    expect(Date.parse(extended.leases[0].lease_expires_at) - Date.now()).toBeGreaterThan(3_600_000)
    expect(await json(story.reviewer, ['items', '--leased', '--order', order.id])).toHaveLength(2)
    expect((await json(story.reviewer, ['lease', 'release', '--order', order.id, '--older-than', '1h', '--dry-run'])).leases).toEqual([])
    await expireLease(story.server.database, one.id)
    expect((await json(story.reviewer, ['lease:reclaim', '--order', order.id])).leases).toMatchObject([{ item_id: one.id }])
    expect((await json(story.reviewer, ['lease:release', '--order', order.id, '--reason', 'it loops'])).leases).toMatchObject([
      { item_id: two.id },
    ])
    expect(await story.events(order.id, 'item.lease_revoked')).toMatchObject([{ payload: { reason: 'it loops' } }])
  })

  test('lease extend and release reach more leases than one call moves', async () => {
    const orders = [0, 1].map((n) => story.propose({ messages: Array.from({ length: 300 }, (_, m) => `${n}-${m}`) }))
    for (const { id } of await Promise.all(orders))
      await story.server.database.sql(
        `update wm.items set state = 'leased', lease_token = 'wl.1.1.' || id, leased_by_agent_id = 'crowd', leased_by_principal = 'agent:crowd',
           lease_expires_at = clock_timestamp() + interval '10 minutes', last_heartbeat_at = clock_timestamp() where order_id = $1`,
        [id],
      )
    const extended = await json(story.reviewer, ['lease', 'extend', '--agent', 'crowd', '--ttl', '1h', '--reason', 'a long night'])
    expect(new Set(extended.leases.map((lease: { item_id: string }) => lease.item_id)).size).toBe(600)
    const released = await json(story.reviewer, ['lease', 'release', '--agent', 'crowd', '--reason', 'they sleep'])
    expect([released.leases.length, released.more]).toEqual([600, false])
  })

  test('ops check counts, and ends with 8 when leases pile up', async () => {
    const status = await json(story.agent, ['ops:check', '--json'])
    expect(status.orders.total).toBeGreaterThan(0)
    expect(status.leases.expired).toBe(0)
    const order = await story.propose({ messages: Array.from({ length: 10 }, (_, n) => `m${n}`) })
    for (let n = 0; n < 10; n++) await expireLease(story.server.database, (await story.take(order.id)).id)
    const bad = await run(story.agent, ['ops', 'check'])
    expect([bad.code, bad.stderr]).toEqual([8, expect.stringContaining('lease reclaim')])
    expect(await json(story.reviewer, ['maintain', '--reclaim-leases'])).toEqual({ 'lease-reclaimer': 10 })
  })

  test('ops prune says why not; purge-keys deletes by age', async () => {
    const prune = await run(story.reviewer, ['ops:prune', '--older-than', '90d', '--force'])
    expect([prune.code, prune.stderr]).toEqual([5, expect.stringContaining('error[append_only]')])
    expect(await json(story.reviewer, ['ops:purge-keys', '--older-than', '30d', '--dry-run'])).toEqual({ keys: 0, dry_run: true })
    expect((await run(story.reviewer, ['ops', 'purge-keys', '--older-than', '5m'])).code).toBe(2)
    expect((await run(story.reviewer, ['ops', 'purge-keys', '--older-than', 'soon'])).stderr).toContain('90d')
  })

  test('generate asks a running server; tail selects by kind', async () => {
    expect(await json(story.reviewer, ['generate', '--dry-run'])).toMatchObject({
      proposed: 0,
      generators: [{ generator: 'yearly.one', found: 1 }],
    })
    expect(await json(story.reviewer, ['generate', '--generator', 'yearly.one'])).toMatchObject({ proposed: 1 })
    const { stdout } = await run(story.reviewer, ['ops:tail', '--event', 'item.lease_revoked'])
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({ kind: 'item.lease_revoked', actor_id: 'rita' })
  })

  test('dev seed makes payloads up from the schema; dev reset refuses in production', async () => {
    const { proposed } = await json(story.proposer, ['dev:seed', '--type', 'test.echo', '--count', '2'])
    expect(proposed).toHaveLength(2)
    expect((await story.order(proposed[1])).meta).toEqual({ seeded: true, seed_index: 2 })
    expect((await run(story.proposer, ['dev', 'seed', '--type', 'test.ecco'])).stderr).toContain('did you mean test.echo?')
    const reset = await run(story.reviewer, ['dev:reset', '--force'], { env: { NODE_ENV: 'production' } })
    expect([reset.code, reset.stderr]).toEqual([5, expect.stringContaining('error[production]')])
    expect((await run(story.reviewer, ['dev:reset', '--force'])).stderr).toContain('error[already_running]')
  })
})

test('the record of the server is verified in place, which also finds what no export shows: 9', async () => {
  const whole = await json(story.agent, ['ledger', 'verify', '--server'])
  expect(whole).toMatchObject({ ok: true, head: { seq: expect.any(Number) } })
  const { seq, hash } = whole.head as { seq: number; hash: string }
  expect(await json(story.agent, ['verify', '--server', '--checkpoint', `${seq}:${hash}`])).toMatchObject({ ok: true })
  expect((await run(story.agent, ['verify', '--server', '--checkpoint', `${seq}:${'0'.repeat(64)}`])).code).toBe(9)
  expect((await run(story.agent, ['ledger', 'verify'])).code, 'neither a file nor a server').toBe(2)
  expect((await run(story.agent, ['ledger', 'verify', 'ledger.json', '--server'])).code).toBe(2)
  const { sql } = story.server.database
  await sql(
    `insert into wm.events (tenant_id, seq, id, subject_type, kind, priority, decided_at, sequenced_at, hash_version, hash)
     select id, 1000000, gen_random_uuid(), 'order', 'order.approved', 0, now(), now(), 2, sha256('x') from wm.tenants where slug = 'acme'`,
  )
  try {
    const forged = await run(story.agent, ['ledger', 'verify', '--server', '--json'])
    expect(forged.code).toBe(9)
    expect(forged.stderr + forged.stdout).toContain('event_unnumbered')
  } finally {
    await sql(`begin; set local session_replication_role = replica; delete from wm.events where seq = 1000000; commit`)
  }
})

test('a ledger is exported, verified without the server, and damage is named: 9', async () => {
  await story.server.run('sequencer')
  const exported = await run(story.agent, ['ledger', 'export', '--out', 'ledger.json'])
  const checkpoint = /checkpoint (\d+:[0-9a-f]{64})/.exec(exported.stderr)?.[1]
  expect(checkpoint).toBeDefined()
  const offline = { env: { WORK_MANAGER_URL: 'http://127.0.0.1:1', WORK_MANAGER_KEY: '' } }
  expect(await json(story.agent, ['verify', 'ledger.json', '--checkpoint', checkpoint!], offline)).toMatchObject({ ok: true })
  const text = await readFile(path.join(cwd, 'ledger.json'), 'utf8')
  const piped = await run(story.agent, ['ledger', 'verify', '-'], {
    ...offline,
    input: (await run(story.agent, ['ledger', 'export'])).stdout,
  })
  expect(piped.code).toBe(0)
  const entries = (JSON.parse(text) as { entries: { seq: number; event: { kind: string } }[] }).entries
  const leased = entries.find((entry) => entry.event.kind === 'item.leased')!
  await writeFile(path.join(cwd, 'forged.json'), text.replace('"kind":"item.leased"', '"kind":"item.released"'))
  const forged = await run(story.agent, ['ledger', 'verify', 'forged.json', '--json'], offline)
  expect(forged.code).toBe(9)
  expect(JSON.parse(forged.stderr)).toMatchObject({ code: 'content_changed', seq: leased.seq, kind: 'item.released', exit: 9 })
  await writeFile(path.join(cwd, 'cut.json'), text.slice(0, text.length / 2))
  expect((await run(story.agent, ['ledger', 'verify', 'cut.json'], offline)).code).toBe(9)
  const rewritten = await run(story.agent, ['verify', 'ledger.json', '--checkpoint', `1:${'0'.repeat(64)}`], offline)
  expect([rewritten.code, rewritten.stderr]).toEqual([9, expect.stringContaining('error[rewritten]')])
  expect((await run(story.agent, ['verify', 'nowhere.json'], offline)).code).toBe(2)
})
