/** Switching traces on and off: what a start says, what a collector that is away costs, what happens without one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { context, trace } from '@opentelemetry/api'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { echoType } from '../../testing/echo-type.ts'
import { type OtlpCollector, startOtlpCollector } from '../../testing/peers/otlp-collector.ts'
import { startStory, type Story } from '../../testing/story.ts'
import { startTestServer, until } from '../../testing/test-server.ts'
import { asFiles, readDocument, SnippetFolder, snippetsOf } from '../../testing/doc-snippets.ts'
import { loadConfig } from '../config/index.ts'
import { settings as settingsOfProduct } from '../config/settings.ts'
import { attributeNames, errorType, genAiAgent, genAiTool } from './attributes.ts'
import { openTracing, type TracingSettings } from './index.ts'
import { tracesUrl } from './otlp-tracing.ts'
import { noTracing, traced } from './tracing.ts'

const mine = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' }
const traceparent = `00-${mine.trace}-${mine.span}-01`

let collector: OtlpCollector
beforeAll(async () => {
  collector = await startOtlpCollector()
})
afterAll(() => collector.stop())

const settings = (more: Partial<TracingSettings> = {}): TracingSettings => ({
  exporter: 'otlp',
  endpoint: collector.url,
  sampleRatio: 1,
  serviceName: 'test',
  serviceVersion: '1',
  ...more,
})
function listening() {
  const lines: Array<{ level: number; msg: string; lost?: number }> = []
  return { lines, log: pino({ level: 'trace' }, { write: (line: string) => void lines.push(JSON.parse(line)) }) }
}
const silent = pino({ level: 'silent' })
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
}

describe('without an exporter', () => {
  let story: Story
  beforeAll(async () => {
    story = await startStory()
  })
  afterAll(() => story.server.stop())
  const traceIds = (order: string, kind: string) =>
    story.server.database.sql<{ trace_id: string | null }>('select trace_id from record where order_id = $1 and kind = $2', [order, kind])

  it('what the proposer sends goes with the order: to the agent, the record, the decision and the effect', async () => {
    const proposed = await story.proposer.post(
      '/propose',
      { type: 'test.echo', payload: { messages: ['hi'] } },
      { headers: { traceparent } },
    )
    const order = proposed.body.order.id as string
    const item = await story.take(order)
    expect(item.traceparent).toBe(traceparent)
    await story.agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { key: null })
    await story.submit(item, { echoed: 'hi', ok: true })
    await story.approve(order)
    await story.server.run('effect-runner')
    for (const kind of [
      'order.proposed',
      'item.leased',
      'item.in_progress',
      'item.submitted',
      'order.approved',
      'order.applied',
      'effect.delivered',
    ])
      expect([kind, await traceIds(order, kind)]).toEqual([kind, [{ trace_id: mine.trace }]])
    const [kept] = await story.server.database.sql('select traceparent from wm.effects where order_id = $1', [order])
    expect(kept).toEqual({ traceparent })
  })

  it('nobody’s trace is made up', async () => {
    const order = await story.propose()
    expect((await story.take(order.id)).traceparent).toBeNull()
    expect(await traceIds(order.id, 'item.leased')).toEqual([{ trace_id: null }])
  })

  it('nothing is loaded and nothing is prepared', async () => {
    const tracing = await openTracing(settings({ exporter: 'none' }), silent)
    expect(tracing).toBe(noTracing)
    const span = tracing.start('anything', { parent: traceparent })
    expect([span.traceparent, span.within(() => trace.getActiveSpan())]).toEqual([traceparent, undefined])
  })
})

describe('a start', () => {
  it('tells what to install when a package is missing', async () => {
    const refuse = `import { registerHooks } from 'node:module'
registerHooks({ resolve(name, context, next) {
  if (name === '@opentelemetry/exporter-trace-otlp-http') throw Object.assign(new Error("Cannot find package '" + name + "'"), { code: 'ERR_MODULE_NOT_FOUND' })
  return next(name, context)
} })
const { openTracing } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)})
await openTracing(${JSON.stringify(settings())}, console).catch((error) => console.log(error.name + ': ' + error.message))`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', refuse], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await once(child, 'close')
    expect(said).toMatch(/^TracingStartError: .*exporter-trace-otlp-http is not installed/)
    expect(said).toContain('npm install @opentelemetry/sdk-trace @opentelemetry/exporter-trace-otlp-http')
  })

  it.each([
    ['collector:4317', /tracing.endpoint|TRACING_ENDPOINT/],
    ['grpc://collector:4317', /gRPC/],
    ['http://user:word@collector:4318', /OTEL_EXPORTER_OTLP_HEADERS/],
    ['http://collector:4318/?a=b', /end after the path/],
    ['', /http:\/\//],
  ])('refuses the endpoint %j', async (endpoint, why) => {
    const env = { WORK_MANAGER_TRACING_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }
    await expect(
      loadConfig({ env, cwd: import.meta.dirname, ...(endpoint === '' ? { code: { tracing: { endpoint } } } : {}) }),
    ).rejects.toThrow(why)
  })

  it.each([
    [{ WORK_MANAGER_TRACING_EXPORTER: 'jaeger' }, /none, otlp|none or otlp/],
    [{ WORK_MANAGER_TRACING_SAMPLE_RATIO: '2' }, /SAMPLE_RATIO/],
    [{ WORK_MANAGER_TRACING_SAMPLE_RATIO: '-1' }, /SAMPLE_RATIO/],
  ])('refuses %j', async (env, why) => {
    await expect(loadConfig({ env, cwd: import.meta.dirname })).rejects.toThrow(why)
  })

  it('takes the base address of a collector, or the one of its traces', () => {
    expect(['http://c:4318', 'http://c:4318/', 'http://c/otlp', 'http://c:4318/v1/traces'].map(tracesUrl)).toEqual([
      'http://c:4318/v1/traces',
      'http://c:4318/v1/traces',
      'http://c/otlp/v1/traces',
      'http://c:4318/v1/traces',
    ])
  })
})

describe('the guide', () => {
  it('names every attribute and setting, and what it shows compiles', async () => {
    const page = readDocument('docs/tracing.md')
    const agent = genAiAgent({ agentId: 'a', agentName: 'b', agentVersion: 'c' })
    for (const name of [
      ...Object.values(attributeNames),
      errorType,
      ...Object.keys(agent),
      ...Object.keys(genAiTool({ name: 't', callId: 'i' })),
    ])
      expect(page).toContain(`\`${name}\``)
    const ours = settingsOfProduct.filter(({ section }) => section === 'tracing')
    for (const { env } of ours) expect(env.some((name) => page.includes(name))).toBe(true)
    const folder = new SnippetFolder()
    try {
      expect(folder.compile(asFiles(snippetsOf('docs/tracing.md', 'ts')))).toBe('')
    } finally {
      folder.remove()
    }
  })
})

describe('recording', () => {
  it('sends the headers that the environment names', async () => {
    process.env.OTEL_EXPORTER_OTLP_HEADERS = 'x-team=work'
    const tracing = await openTracing(settings(), silent).finally(() => delete process.env.OTEL_EXPORTER_OTLP_HEADERS)
    tracing.start('with a header').end()
    await tracing.close()
    expect(collector.headers.at(-1)).toMatchObject({ 'x-team': 'work' })
  })

  it('none of the traces that begin here with a ratio of 0, all that a caller records', async () => {
    const tracing = await openTracing(settings({ sampleRatio: 0 }), silent)
    tracing.start('begun here').end()
    tracing.start('begun there', { parent: traceparent }).end()
    await tracing.close()
    const names = collector.spans.map((span) => span.name)
    expect([names.includes('begun here'), names.includes('begun there')]).toEqual([false, true])
  })

  it('what is thrown ends the span as failed; what runs inside sees it as OpenTelemetry’s own', async () => {
    const tracing = await openTracing(settings(), silent)
    const broken = traced(tracing, 'broken', {}, async (span) => {
      await Promise.resolve()
      expect(trace.getActiveSpan()?.spanContext().spanId).toBe(span.traceparent!.slice(36, 52))
      throw Object.assign(new Error('no'), { code: 'it_broke' })
    })
    await expect(broken).rejects.toThrow('no')
    await tracing.close()
    expect(collector.spans.find((span) => span.name === 'broken')).toMatchObject({ failed: true, attributes: { 'error.type': 'it_broke' } })
    // The last one that is closed leaves the process as it found it.
    expect(context.with(context.active().setValue(Symbol.for('x'), 1), () => context.active().getValue(Symbol.for('x')))).toBeUndefined()
  })
})

describe('a collector that is away', () => {
  it('is complained of once, and keeps no more than its queue in memory', async () => {
    const { lines, log } = listening()
    const tracing = await openTracing(settings({ endpoint: 'http://127.0.0.1:9' }), log)
    const recorded: WeakRef<object>[] = []
    for (let n = 0; n < 20_000; n++) {
      const span = tracing.start('lost')
      recorded.push(new WeakRef((span as unknown as { span: object }).span))
      span.end()
    }
    // What a WeakRef made or gave in this turn of the event loop stays for as long as the turn lasts.
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
    expect(recorded.filter((span) => span.deref()).length).toBeLessThan(6_000)
    await until(async () => lines.some((line) => /does not take spans/.test(line.msg)), 'a complaint')
    await tracing.close()
    expect(lines.filter((line) => /does not take spans/.test(line.msg))).toHaveLength(1)
  })

  it('or takes connections and never answers: requests and the stop go on', async () => {
    const hole = net.createServer(() => {})
    hole.listen(0, '127.0.0.1')
    await once(hole, 'listening')
    const endpoint = `http://127.0.0.1:${(hole.address() as net.AddressInfo).port}`
    const story = await startStory({ config: { tracing: { exporter: 'otlp', endpoint } } })
    const order = await story.propose()
    await story.fill(order.id)
    expect((await story.approve(order.id)).status).toBe(200)
    await story.server.stop()
    hole.close()
  })

  it('is told of when it answers again', async () => {
    const { lines, log } = listening()
    const server = await startTestServer({ types: [echoType], config: { tracing: { exporter: 'otlp', endpoint: collector.url } } })
    const person = await server.caller('person', 'ada')
    const tracing = await openTracing(settings(), log)
    collector.answerWith(400)
    const propose = () => person.post('/propose', { type: 'test.echo', payload: { messages: ['hi'] } })
    expect((await propose()).status).toBe(201)
    tracing.start('refused').end()
    await until(async () => lines.some((line) => /does not take spans/.test(line.msg)), 'a complaint')
    collector.answerWith(200)
    expect((await propose()).status).toBe(201)
    tracing.start('taken').end()
    await until(async () => lines.some((line) => /takes spans again/.test(line.msg)), 'the good news')
    expect(lines.find((line) => /takes spans again/.test(line.msg))!.lost).toBe(1)
    await tracing.close()
    await server.stop()
  })
})
