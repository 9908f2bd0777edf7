/** Waiting for an order as the protocol of 2026-07-28 says it: tasks, input_required, and plain answers for clients that know neither. */
import { randomUUID } from 'node:crypto'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { echoType } from '../../../testing/echo-type.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { startTestServer } from '../../../testing/test-server.ts'
import { connect } from './fixtures/clients.ts'

let story: Story
beforeAll(async () => {
  story = await startStory()
})
afterAll(() => story.server.stop())

const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } }
const pages = { elicitation: { url: {} } }

async function send(method: string, params: Record<string, any>, capabilities: object, url = story.server.url): Promise<any> {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '9' },
  }
  const response = await fetch(new URL('/mcp', url), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${story.agent.key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      'mcp-name': params['name'] ?? params['taskId'],
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { _meta: meta, ...params } }),
  })
  return response.json()
}
const waitFor = (order: string, capabilities: object, more: object = {}, wait = 30) =>
  send('tools/call', { name: 'work_why', arguments: { order_id: order, wait }, ...more }, capabilities)

describe('a client that knows tasks', () => {
  it('gets the order as a task, and its settling as the result', async () => {
    const order = await story.propose()
    const { result: task } = await waitFor(order.id, { ...tasks, ...pages })
    expect(task).toMatchObject({
      resultType: 'task',
      taskId: order.id,
      status: 'working',
      ttlMs: null,
      pollIntervalMs: 2000,
      statusMessage: expect.stringContaining('check out 1 item'),
    })
    const poll = async (url?: string) => (await send('tasks/get', { taskId: order.id }, { ...tasks, ...pages }, url)).result
    expect(await poll()).toMatchObject({ resultType: 'complete', status: 'working', createdAt: task.createdAt })

    await story.fill(order.id)
    const asked = await poll()
    expect(asked).toMatchObject({ status: 'input_required', pollIntervalMs: 10_000 })
    expect(asked.inputRequests).toEqual({
      'decide-1': {
        method: 'elicitation/create',
        params: { mode: 'url', message: expect.stringContaining(order.id), url: `${story.server.url}/api/work/orders/${order.id}/review` },
      },
    })
    // The client says that its person accepted: that decides nothing.
    expect(
      (await send('tasks/update', { taskId: order.id, inputResponses: { 'decide-1': { action: 'accept' } } }, tasks)).result,
    ).toMatchObject({ resultType: 'complete' })
    expect((await story.order(order.id)).state).toBe('submitted')

    const second = await startTestServer({ types: [echoType], background: false, database: story.server.database })
    try {
      expect(await poll(second.url), 'another process answers as well').toMatchObject({ status: 'input_required' })
      await story.approve(order.id)
      const done = await poll(second.url)
      expect(done).toMatchObject({ status: 'completed', result: { structuredContent: { state: 'completed', settled: true } } })
      expect(JSON.parse(done.result.content[0].text)).toEqual(done.result.structuredContent)
    } finally {
      await second.stop()
    }
  })

  it('may stop waiting, which withdraws nothing', async () => {
    const order = await story.propose()
    expect((await send('tasks/cancel', { taskId: order.id }, tasks)).result).toMatchObject({ resultType: 'complete' })
    expect((await story.order(order.id)).state).toBe('queued')
  })

  it('is told of a task that does not exist, and asked to declare the extension', async () => {
    const absent = await send('tasks/get', { taskId: randomUUID() }, tasks)
    expect([absent.error.code, absent.error.data.code]).toEqual([-32602, 'not_found'])
    const order = await story.propose()
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      const undeclared = await send(method, { taskId: order.id }, {})
      expect([undeclared.error.code, undeclared.error.data], method).toEqual([-32021, { requiredCapabilities: tasks }])
    }
    const other = await story.server.caller('agent', 'agent-1', { tenant: 'rival' })
    const strangers = await connect('2026-07-28', 'http', story.server.url, other.key)
    expect((await strangers.call('work_why', { order_id: order.id, wait: 5 })).value.code).toBe('not_found')
    await strangers.close()
  })

  it('finds the extension in what the server says of itself', async () => {
    const { result } = await send('server/discover', { name: 'x' }, {})
    expect(result.capabilities.extensions).toEqual({ 'io.modelcontextprotocol/tasks': {} })
  })
})

describe('a client that can show a page but knows no tasks', () => {
  it('is asked to show the review page, and then waits', async () => {
    const order = await story.propose()
    await story.fill(order.id)
    const shown: unknown[] = []
    const client = new Client(
      { name: 'pages', version: '1' },
      { capabilities: { elicitation: { url: {} } }, versionNegotiation: { mode: { pin: '2026-07-28' } } },
    )
    client.setRequestHandler('elicitation/create', (request) => {
      shown.push(request.params)
      void story.approve(order.id)
      return { action: 'accept' }
    })
    await client.connect(
      new StreamableHTTPClientTransport(new URL('/mcp', story.server.url), {
        requestInit: { headers: { authorization: `Bearer ${story.agent.key}` } },
      }),
    )
    const answer = await client.callTool({ name: 'work_why', arguments: { order_id: order.id, wait: 20 } })
    expect(answer.structuredContent).toMatchObject({ state: 'completed', settled: true })
    expect(shown).toEqual([expect.objectContaining({ mode: 'url', url: `${story.server.url}/api/work/orders/${order.id}/review` })])
    await client.close()
  })
})

describe.each(['2025-11-25', '2026-07-28'] as const)('a client of %s that knows neither', (era) => {
  it('waits in the request, and gets the link in words', async () => {
    const order = await story.propose()
    await story.fill(order.id)
    const client = await connect(era, 'http', story.server.url, story.agent.key)
    const early = await client.raw.callTool({ name: 'work_why', arguments: { order_id: order.id, wait: 1 } })
    expect(early.structuredContent).toMatchObject({ state: 'submitted', waits_for: 'person' })
    expect(early.content[1].text).toBe(`A person decides. Give them this link: ${story.server.url}/api/work/orders/${order.id}/review`)
    const waiting = client.call('work_why', { order_id: order.id, wait: 20 })
    await story.approve(order.id)
    expect((await waiting).value).toMatchObject({ state: 'completed', settled: true })
    await client.close()
  })
})

describe('the review page', () => {
  it('tells a person how to decide, and shows nothing of the order', async () => {
    const order = await story.propose({ messages: ['secret words'] })
    const response = await fetch(`${story.server.url}/api/work/orders/${order.id}/review`)
    const html = await response.text()
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(html).toContain(`work-manager approve ${order.id}`)
    expect(html).not.toContain('secret words')
    const odd = await fetch(`${story.server.url}/api/work/orders/%3Cscript%3E/review`)
    expect([odd.status, ((await odd.json()) as { code: string }).code]).toEqual([404, 'id_malformed'])
  })
})
