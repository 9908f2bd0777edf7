/** Stale-order alert, generator runner, idempotency pruner, partition keeper, sequencer: once each, in any number of processes. */
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestServer, type TestServer } from '../../testing/test-server.ts'
import { startStory, type Story } from '../../testing/story.ts'
import { defineGenerator } from '../work/generators/define-generator.ts'
import { defineOrderType } from '../work/order-types/define-order-type.ts'

const fragile = defineOrderType({
  type: 'test.found',
  payload: Type.Object({ name: Type.String() }),
  result: Type.Object({ done: Type.Boolean() }),
  apply: (context) => context.diff({}, {}),
})
const found = (name: string, key?: string) => ({
  type: 'test.found',
  payload: { name },
  priority: 3,
  meta: { by: 'generator' },
  ...(key && { key }),
})
const yearly = '0 0 1 1 *'
const runs: Record<string, number> = {}
const counting = (name: string, generate: Parameters<typeof defineGenerator>[0]['generate'], tenants?: string[]) =>
  defineGenerator({
    name,
    schedule: yearly,
    ...(tenants && { tenants }),
    generate(context) {
      runs[name] = (runs[name] ?? 0) + 1
      return generate(context)
    },
  })
const generators = [
  counting('nightly.audit', () => [found('a', 'key-a'), found('b', 'key-b'), found('no key')]),
  counting('broken.one', () => Promise.reject(new Error('the catalogue is away'))),
  counting('half.broken', () => [
    { type: 'test.found', payload: { nome: 'x' } },
    found('good', 'half-good'),
    { type: 'test.nothing', payload: {} },
  ]),
  counting('other.tenant', () => [found('c')], ['globex']),
]

let story: Story
let second: TestServer
beforeAll(async () => {
  story = await startStory({ types: [fragile], generators })
  second = await startTestServer({ types: [fragile], generators, background: false, database: story.server.database })
})
afterAll(async () => {
  await second.stop()
  await story.server.stop()
})

const sql = (text: string, values?: unknown[]) => story.server.database.sql<any>(text, values)
const both = async (service: string) =>
  (await Promise.all([story.server.run(service), second.run(service), story.server.run(service), second.run(service)])).reduce(
    (sum, n) => sum + n,
    0,
  )
const names = async () =>
  (await sql(`select payload->>'name' as name from wm.orders where type = 'test.found' order by 1`)).map((row) => row.name)
const makeDue = () => sql(`update wm.generator_runs set next_run_at = now() - interval '1 minute'`)

describe('the generator runner', () => {
  it('proposes nothing before the first due time, then once for two processes', async () => {
    await both('generator-runner')
    expect(await names()).toEqual([])
    await makeDue()
    await both('generator-runner')
    expect(runs).toEqual({ 'nightly.audit': 1, 'broken.one': 1, 'half.broken': 1 })
    expect(await names()).toEqual(['a', 'b', 'good', 'no key'])
    const [order] = await sql(`select * from wm.orders where payload->>'name' = 'a'`)
    expect(order).toMatchObject({ priority: 3, meta: { by: 'generator' }, requested_by_type: 'system', requested_by_id: 'scheduler' })
    expect(await story.kinds(order.id)).toEqual(['order.proposed', 'order.planned'])
  })

  it('proposes found work with a key once for ever, without a key every time', async () => {
    await makeDue()
    await both('generator-runner')
    expect(await names()).toEqual(['a', 'b', 'good', 'no key', 'no key'])
  })

  it('records a generator that throws, and one of which a part is wrong, and goes on', async () => {
    const failures = (await sql(`select payload from record where kind = 'generator.failed' order by position`)).map((row) => row.payload)
    expect(failures.filter((one) => one.generator === 'broken.one')).toEqual([
      { generator: 'broken.one', error: 'the catalogue is away' },
      { generator: 'broken.one', error: 'the catalogue is away' },
    ])
    expect(failures.find((one) => one.generator === 'half.broken').error).toContain('payload')
    const [run] = await sql(`select last_error from wm.generator_runs where generator = 'broken.one'`)
    expect(run.last_error).toBe('the catalogue is away')
  })

  it('runs a generator only for the tenants that it names', async () => {
    await story.server.caller('person', 'zoe', { tenant: 'globex' })
    await both('generator-runner')
    await makeDue()
    await both('generator-runner')
    const rows = await sql(`select t.slug from wm.orders o join wm.tenants t on t.id = o.tenant_id where o.payload->>'name' = 'c'`)
    expect(rows).toEqual([{ slug: 'globex' }])
    // A key belongs to its tenant: the other one gets its own.
    expect(
      (await sql(`select t.slug from wm.orders o join wm.tenants t on t.id = o.tenant_id where o.payload->>'name' = 'a' order by 1`)).map(
        (row) => row.slug,
      ),
    ).toEqual(['acme', 'globex'])
  })

  it('proposes the same key once when two processes find it at the same moment', async () => {
    const { runGenerator } = await import('../work/generators/run-generator.ts')
    const generator = defineGenerator({ name: 'racing.one', schedule: yearly, generate: () => [found('raced', 'racing')] })
    const [tenant] = await sql(`select id, slug from wm.tenants where slug = 'acme'`)
    const outcomes = await Promise.all(
      Array.from({ length: 6 }, (_, n) => runGenerator((n % 2 ? story.server : second).manager.tools, generator, tenant)),
    )
    expect(outcomes.reduce((sum, outcome) => sum + outcome.proposed, 0)).toBe(1)
    expect((await names()).filter((name) => name === 'raced')).toHaveLength(1)
    const dry = await runGenerator(
      story.server.manager.tools,
      defineGenerator({ ...generator, name: 'dry.one', generate: () => [found('dry')] }),
      tenant,
      { dryRun: true },
    )
    expect(dry).toMatchObject({ found: 1, proposed: 0, error: null })
    expect(await names()).not.toContain('dry')
  })
})

describe('the stale-order alert', () => {
  it('tells once per standstill', async () => {
    const order = await story.propose()
    const stand = () =>
      sql(
        `update wm.orders set last_transitioned_at = clock_timestamp() - interval '25 hours', stale_alerted_at = least(stale_alerted_at, clock_timestamp() - interval '26 hours') where id = $1`,
        [order.id],
      )
    expect(await both('stale-order-alert')).toBe(0)
    await stand()
    expect(await both('stale-order-alert')).toBe(1)
    expect(await both('stale-order-alert')).toBe(0)
    expect(await story.events(order.id, 'order.stale')).toMatchObject([{ payload: { state: 'queued', threshold_hours: 24 } }])
    await story.take(order.id)
    expect(await both('stale-order-alert')).toBe(0)
    await stand()
    expect(await both('stale-order-alert')).toBe(1)
    expect(await story.events(order.id, 'order.stale')).toMatchObject([
      { payload: { state: 'queued' } },
      { payload: { state: 'checked_out' } },
    ])
  })

  it('leaves ended orders alone', async () => {
    const order = await story.propose()
    await story.proposer.post(`/orders/${order.id}/cancel`, { reason: 'x' })
    await sql(`update wm.orders set last_transitioned_at = clock_timestamp() - interval '99 hours' where id = $1`, [order.id])
    await both('stale-order-alert')
    expect(await story.events(order.id, 'order.stale')).toEqual([])
  })
})

describe('the idempotency pruner', () => {
  it('deletes only what is over; a live key still replays', async () => {
    const body = { type: 'test.echo', payload: { messages: ['x'] } }
    const live = await story.proposer.post('/propose', body, { key: 'live' })
    const over = await story.proposer.post('/propose', body, { key: 'over' })
    const [{ n: before }] = await sql(`select count(*)::int as n from wm.idempotency`)
    await sql(`update wm.idempotency set expires_at = clock_timestamp() - interval '1 second' where status = 201 and body = $1`, [
      over.text,
    ])
    expect(await both('idempotency-pruner')).toBe(1)
    expect(await both('idempotency-pruner')).toBe(0)
    expect(await sql(`select count(*)::int as n from wm.idempotency`)).toEqual([{ n: before - 1 }])
    expect((await story.proposer.post('/propose', body, { key: 'live' })).text).toBe(live.text)
    expect((await story.proposer.post('/propose', body, { key: 'over' })).body.order.id).not.toBe(over.body.order.id)
  })
})

describe('the sequencer', () => {
  it('in four runs at once numbers every event once, without a gap', async () => {
    for (let n = 0; n < 5; n++) await story.propose()
    await both('sequencer')
    await story.server.run('sequencer')
    const rows = await sql(
      `select e.tenant_id, count(*)::int as n, max(e.seq)::int as last, count(distinct e.seq)::int as events from wm.events e group by 1`,
    )
    for (const row of rows) expect([row.n, row.events]).toEqual([row.last, row.last])
    expect(await sql(`select 1 from wm.intake`)).toEqual([])
  })
})

it('the partition keeper makes each month once', async () => {
  await both('partition-keeper')
  expect(await both('partition-keeper')).toBe(0)
})
