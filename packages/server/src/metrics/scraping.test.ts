/** /metrics of a running server: who may read it, what it says, and that both formats are what scrapers expect. */
import { execFile } from 'node:child_process'
import { request as httpRequest } from 'node:http'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { echoType } from '../../testing/echo-type.ts'
import { findProgram, freePort, isInstalled } from '../../testing/peers/redis-server.ts'
import { type Caller, startTestServer, type TestServer, until } from '../../testing/test-server.ts'
import { explainListenFailure } from '../cli/listen-failure.ts'
import { openMetricsType, textType } from './exposition.ts'
import { parseExposition } from './fixtures/receivers.ts'
import { openMetricsPort } from './metrics-port.ts'

const token = 'scrape-token-0123456789abcdef'
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
let server: TestServer
let service: Caller
let agent: Caller
let port: number

beforeAll(async () => {
  port = await freePort()
  server = await startTestServer({ types: [echoType], background: false, config: { metrics: { token, port } } })
  service = await server.caller('service', 'crm')
  agent = await server.caller('agent', 'agent-1')
})
afterAll(() => server.stop())

interface Scrape {
  readonly status: number
  readonly type: string
  readonly text: string
}
/** By hand, because fetch does not let a Host header through. */
const scrape = (headers: Record<string, string> = {}, at = `${server.url}/metrics`) =>
  new Promise<Scrape>((resolve, reject) => {
    httpRequest(at, { headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode!, type: response.headers['content-type']!, text }))
    })
      .on('error', reject)
      .end()
  })
const own = () => `http://127.0.0.1:${port}/metrics`

describe('who may read it on the main port', () => {
  it('this machine, by address', async () => {
    expect(await scrape()).toMatchObject({ status: 200, type: textType })
  })

  it.each([
    ['x-forwarded-for', '10.0.0.1'],
    ['forwarded', 'for=10.0.0.1'],
    ['x-real-ip', '10.0.0.1'],
    ['via', '1.1 proxy'],
  ])('not through a proxy on this machine (%s)', async (name, value) => {
    const refused = await scrape({ [name]: value })
    expect(refused.status).toBe(401)
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'auth_required', fix: expect.stringContaining('metrics.token') })
  })

  it('not a page in a browser here, whatever name it lets point to this machine', async () => {
    expect((await scrape({ host: 'evil.example:7420' })).status).toBe(401)
    expect((await scrape({ origin: 'https://evil.example' })).status).toBe(401)
  })

  it('whoever has the token, also through a proxy', async () => {
    const proxied = { 'x-forwarded-for': '10.0.0.1' }
    expect((await scrape({ ...proxied, authorization: `Bearer ${token}` })).status).toBe(200)
    expect((await scrape({ ...proxied, authorization: `Bearer ${token}x` })).status).toBe(401)
    expect((await scrape({ ...proxied, authorization: `Bearer ${agent.key}` })).status, 'an API key is no token').toBe(401)
  })
})

describe('the port of its own', () => {
  it('asks for the token when there is one, and has nothing else', async () => {
    expect((await scrape({}, own())).status).toBe(401)
    expect(await scrape({ authorization: `Bearer ${token}` }, own())).toMatchObject({ status: 200, type: textType })
    expect((await scrape({ authorization: `Bearer ${token}` }, `http://127.0.0.1:${port}/api/work/orders`)).status).toBe(404)
  })

  it('that is taken stops the start with the name of the setting', async () => {
    const taken: unknown = await openMetricsPort({
      host: '127.0.0.1',
      port,
      token,
      expose: () => Promise.reject(new Error('never asked')),
    }).catch((error: unknown) => error)
    // The port of the server, which opens after it, is not the one to be blamed.
    expect(await explainListenFailure(taken, '127.0.0.1', 7420)).toMatchObject({
      message: `metrics.port ${port} on 127.0.0.1 cannot be opened: another program uses it.`,
      fix: expect.stringContaining('WORK_MANAGER_METRICS_PORT'),
    })
  })
})

describe('what it says', () => {
  it('how long operations took and how they ended', async () => {
    const before = parseExposition((await scrape()).text)
    await service.post('/propose', { type: 'test.echo', payload: { messages: ['a', 'b'] } })
    await service.post('/propose', { type: 'test.echo', payload: { messages: [] } })
    await agent.post('/checkout?wait=1&type=test.nothing', {}, { key: null })
    await agent.post('/checkout', {}, { key: null })
    const after = parseExposition((await scrape()).text)
    const more = (key: string) => (after.get(key) ?? 0) - (before.get(key) ?? 0)
    expect(more('request_duration_seconds_count{operation=propose_order,outcome=ok}')).toBe(1)
    expect(more('request_duration_seconds_count{operation=propose_order,outcome=refused}')).toBe(1)
    expect(more('refusals_total{code=payload_invalid}')).toBe(1)
    expect(more('request_duration_seconds_count{operation=checkout_item,outcome=ok}')).toBe(1)
    expect(more('request_duration_seconds_count{operation=checkout_item,outcome=waited}')).toBe(1)
    expect(after.get('request_duration_seconds_bucket{operation=checkout_item,outcome=ok,le=+Inf}')).toBe(
      after.get('request_duration_seconds_count{operation=checkout_item,outcome=ok}'),
    )
  })

  it('what waits, what is held and what lags', async () => {
    const seen = await until(async () => {
      const found = parseExposition((await scrape()).text)
      return found.get('leases_active{type=test.echo}') === 1 && found
    }, 'the counts are read again')
    expect(seen.get('queue_depth{type=test.echo}')).toBe(1)
    expect(seen.get('database_up{}')).toBe(1)
    expect(seen.get('facts_unsequenced{}')).toBeGreaterThan(0)
    expect(seen.get('paused{scope=everything}')).toBe(0)
    expect(seen.get('database_connections{pool=app,state=waiting}')).toBe(0)
    expect(seen.get('event_loop_lag_seconds{}')).toBeGreaterThanOrEqual(0)
    expect([...seen.keys()].some((key) => key.startsWith('nodejs_heap_size_used_bytes'))).toBe(true)
    await server.run('sequencer')
    await until(async () => {
      const found = parseExposition((await scrape()).text)
      return found.get('facts_unsequenced{}') === 0 && found.get('ledger_lag_seconds{}') === 0
    }, 'nothing lags')
  })

  it('a queue that emptied is 0, not gone', async () => {
    await agent.post('/checkout', {}, { key: null })
    await until(async () => parseExposition((await scrape()).text).get('queue_depth{type=test.echo}') === 0, 'the queue is empty')
  })

  it('traces of requests as exemplars, in OpenMetrics only', async () => {
    await service.post('/propose', { type: 'test.echo', payload: { messages: ['traced'] } }, { headers: { traceparent } })
    const open = await scrape({ accept: 'application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.2' })
    expect(open.type).toBe(openMetricsType)
    expect(open.text).toMatch(
      /request_duration_seconds_bucket\{.*\} \d+ # \{trace_id="4bf92f3577b34da6a3ce929d0e0e4736"\} [\d.e-]+ \d+\.\d{3}\n/,
    )
    expect(open.text).toMatch(/^# TYPE work_manager_orders_created counter$/m)
    expect(open.text.endsWith('# EOF\n')).toBe(true)
    const text = await scrape({ accept: 'text/plain' })
    expect(text.text).not.toMatch(/trace_id|# EOF/)
  })

  it('answers, and says that the database is away, while it is', async () => {
    const gate = new pg.Client({ connectionString: server.database.adminUrl })
    await gate.connect()
    await gate.query('begin; lock table wm.items in access exclusive mode')
    try {
      const seen = await until(async () => {
        const found = parseExposition((await scrape()).text)
        return found.get('database_up{}') === 0 && found
      }, 'the count does not come')
      expect(
        [...seen.keys()].filter((key) => key.startsWith('queue_depth')),
        'a stale number would lie',
      ).toEqual([])
    } finally {
      await gate.query('rollback')
      await gate.end()
    }
  })
})

describe.skipIf(!(await isInstalled('promtool')))('promtool', () => {
  it('finds nothing wrong with a real scrape', async () => {
    const { text } = await scrape()
    const check = promisify(execFile)((await findProgram('promtool'))!, ['check', 'metrics'])
    check.child.stdin!.end(text)
    const { stdout, stderr } = await check.catch((error: { stdout: string; stderr: string }) => error)
    // It has opinions about names of Node's own metrics; ours may give it no reason.
    const ours = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !/work_manager_(nodejs|process)_/.test(line))
    expect(ours).toEqual([])
  })
})
