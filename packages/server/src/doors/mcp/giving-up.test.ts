/** A client that gave up never takes an item, in whatever order call, answer, cancellation and hanging up come. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { closeGate } from '../../../testing/row-gate.ts'
import { startStory, type Story } from '../../../testing/story.ts'
import { until } from '../../../testing/test-server.ts'
import { connect, type ConnectedClient } from './fixtures/clients.ts'

let story: Story
beforeEach(async () => {
  story = await startStory()
})
afterEach(() => story.server.stop())

const itemsIn = async (state: string) => (await story.server.database.sql(`select from wm.items where state = $1`, [state])).length
/** Whoever waits for work has looked at least once. */
const looked = () =>
  until(
    async () =>
      (
        await story.server.database.sql(`select from pg_stat_activity where datname = $1 and query like '%wm.lease_items%'`, [
          story.server.database.name,
        ])
      ).length > 0,
    'it has asked the database',
  )
/** What is ready is there for the next one, at once and with all its attempts. */
async function isThereForOthers(orderId: string): Promise<void> {
  const other = await story.server.caller('agent', 'agent-2')
  const answer = await until(async () => {
    const asked = await other.post(`/orders/${orderId}/checkout`)
    return asked.status === 200 && asked
  }, 'somebody else gets the item')
  expect(answer.body.item.order_id).toBe(orderId)
}

describe('a client of 2025 over HTTP', () => {
  let client: ConnectedClient
  beforeEach(async () => {
    client = await connect('2025-11-25', 'http', story.server.url, story.agent.key)
    return () => client.close()
  })
  const checkout = (options: object) => client.raw.callTool({ name: 'work_checkout', arguments: { wait: 10 } }, undefined, options)

  it('whose time limit is shorter than its wait takes nothing of what comes later', async () => {
    await expect(checkout({ timeout: 1000 })).rejects.toThrow(/timed out/i)
    const order = await story.propose()
    await isThereForOthers(order.id)
  })

  it('that cancels takes nothing of what comes later, and its neighbour with the same key goes on waiting', async () => {
    const neighbour = await connect('2025-11-25', 'http', story.server.url, story.agent.key)
    const stop = new AbortController()
    const cancelled = checkout({ signal: stop.signal })
    const waiting = neighbour.raw.callTool({ name: 'work_checkout', arguments: { wait: 20 } })
    await looked()
    stop.abort()
    await expect(cancelled).rejects.toThrow()
    const order = await story.propose()
    expect((await waiting).structuredContent.item.order_id).toBe(order.id)
    await neighbour.close()
  })

  it('hears while it waits that the wait goes on, and may put its limit off', async () => {
    const told: number[] = []
    const waiting = checkout({
      timeout: 5000,
      resetTimeoutOnProgress: true,
      onprogress: ({ progress, total }: { progress: number; total: number }) => {
        told.push(progress)
        expect(total).toBe(10)
      },
    })
    await until(async () => told.length >= 2, 'it was told twice')
    const order = await story.propose()
    expect((await waiting).structuredContent.item.order_id).toBe(order.id)
    expect(told).toEqual(told.toSorted((a, b) => a - b))
  })

  it('that closes takes nothing of what comes later', async () => {
    const waiting = checkout({}).catch(() => null)
    await looked()
    await client.close()
    await waiting
    const order = await story.propose()
    await isThereForOthers(order.id)
  })
})

describe('in every order', () => {
  const session = 'a-session-of-its-own'
  /** One JSON-RPC message as a client of 2025 sends it; `hangUp` closes the connection without reading. */
  function send(message: object, hasSession = true): { answer: Promise<any>; hangUp(): void } {
    const { hostname, port } = new URL(story.server.url)
    const { promise, resolve, reject } = Promise.withResolvers<any>()
    const request = http.request(
      {
        hostname,
        port,
        path: '/mcp',
        method: 'POST',
        headers: {
          authorization: `Bearer ${story.agent.key}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...(hasSession ? { 'mcp-session-id': session } : {}),
        },
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        response.on('error', reject)
        response.on('end', () => {
          const data = /^data: (.*)$/m.exec(text)?.[1] ?? text
          resolve(data === '' ? undefined : JSON.parse(data))
        })
      },
    )
    request.on('error', reject)
    request.end(JSON.stringify({ jsonrpc: '2.0', ...message }))
    promise.catch(() => {})
    return { answer: promise, hangUp: () => request.destroy() }
  }
  const call = (id: number, args: object = {}, hasSession = true) =>
    send({ id, method: 'tools/call', params: { name: 'work_checkout', arguments: args } }, hasSession)
  const cancel = async (id: number, hasSession = true) => {
    await send({ method: 'notifications/cancelled', params: { requestId: id } }, hasSession).answer
  }

  it('the cancellation overtakes the call', async () => {
    const order = await story.propose()
    await cancel(5)
    expect((await call(5).answer).result).toMatchObject({ isError: true, structuredContent: { code: 'no_items_available' } })
    expect(await itemsIn('queued')).toBe(1)
    // The id is free again, and another call is another call.
    expect((await call(6).answer).result.structuredContent.item.order_id).toBe(order.id)
  })

  it('without a session the cancellation of one call does not wait for that of somebody else', async () => {
    const order = await story.propose()
    await cancel(5, false)
    expect((await call(5, {}, false).answer).result.structuredContent.item.order_id).toBe(order.id)
  })

  it('it comes while the call waits', async () => {
    const waiting = call(5, { wait: 30 })
    await looked()
    await cancel(5)
    const order = await story.propose()
    await isThereForOthers(order.id)
    expect((await waiting.answer).result).toMatchObject({ isError: true })
  })

  it.each(['the cancellation', 'hanging up'])('%s comes while the item is being leased', async (what) => {
    const order = await story.propose()
    // Every grant makes sure that nobody pauses meanwhile, and waits for who does.
    const gate = await closeGate(story.server.database, `select pg_advisory_xact_lock(hashtextextended('wm.pauses', 0))`)
    const taking = call(5)
    await gate.waiting()
    if (what === 'hanging up') taking.hangUp()
    else await cancel(5)
    await gate.open()
    await taking.answer.catch(() => null)
    await isThereForOthers(order.id)
    expect(await story.kinds(order.id)).toContain('item.released')
  })

  it('the cancellation crosses the answer', async () => {
    const order = await story.propose()
    expect((await call(5).answer).result.structuredContent.item.order_id).toBe(order.id)
    await cancel(5)
    await isThereForOthers(order.id)
  })

  it('what was worked on since was heard of, and stays', async () => {
    const order = await story.propose()
    const { item } = (await call(5).answer).result.structuredContent
    expect((await story.agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token })).status).toBe(200)
    await cancel(5)
    expect((await story.agent.post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token })).status).toBe(200)
    expect(await story.kinds(order.id)).not.toContain('item.released')
  })
})

describe('the stdio bridge', () => {
  const bin = fileURLToPath(new URL('../../../bin/work-manager.mjs', import.meta.url))
  const frame = (message: object) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`
  const checkout = (args: object) => frame({ id: 1, method: 'tools/call', params: { name: 'work_checkout', arguments: args } })
  const start = () =>
    spawn(process.execPath, [bin, 'mcp'], {
      env: { PATH: process.env['PATH'] ?? '', WORK_MANAGER_URL: story.server.url, WORK_MANAGER_KEY: story.agent.key },
      stdio: ['pipe', 'pipe', 'inherit'],
    })

  it('whose stdin closes takes nothing of what comes later', async () => {
    const bridge = start()
    bridge.stdin.write(checkout({ wait: 30 }))
    await looked()
    bridge.stdin.end()
    await once(bridge, 'close')
    const order = await story.propose()
    await isThereForOthers(order.id)
  })

  it('that is killed takes nothing of what comes later', async () => {
    const bridge = start()
    bridge.stdin.write(checkout({ wait: 30 }))
    await looked()
    bridge.kill('SIGKILL')
    await once(bridge, 'close')
    const order = await story.propose()
    await isThereForOthers(order.id)
  })

  it('whose client died before it could read the answer gives the item back', async () => {
    const order = await story.propose()
    const bridge = start()
    bridge.stdout.destroy()
    bridge.stdin.end(checkout({}))
    await once(bridge, 'exit')
    await isThereForOthers(order.id)
  })
})
