/** What only a real socket can show: clients that send too much, too strangely, or leave. */
import { once } from 'node:events'
import net from 'node:net'
import { text } from 'node:stream/consumers'
import { WorkError } from '@work-manager/contract'
import { pino } from 'pino'
import Type from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Principal } from '../../kernel/principal.ts'
import { defineOperation } from '../../kernel/operations/operation.ts'
import type { OperationAnswer, OperationRequest } from '../../kernel/operations/run-operation.ts'
import { createHttpApp } from './app.ts'

const waitForNote = defineOperation({
  name: 'wait_for_note',
  summary: 'Wait for a note.',
  http: { method: 'POST', path: '/wait', success: 200 },
  ability: 'work:checkout',
  idempotency: 'none',
  refuses: [],
  command: { words: 'try wait_for_note' },
  tool: 'only this test knows it',
  input: Type.Object({}),
  output: Type.Object({}),
  handler: async () => ({ status: 200, body: {} }),
})
const principal: Principal = {
  tenantId: 't1',
  tenantSlug: 'acme',
  kind: 'agent',
  id: 'a',
  name: 'agent:a',
  keyId: 'k',
  abilities: [],
  tier: 'default',
}

let run: (request: OperationRequest) => Promise<OperationAnswer>
const app = createHttpApp({
  operations: [waitForNote],
  runOperation: (_operation, request) => run(request),
  authenticate: async (header) => {
    if (header?.includes('stranger')) throw new WorkError('key_unknown')
    return principal
  },
  health: { live: () => true, ready: async () => ({ ok: true, checks: {} }) },
  log: pino({ enabled: false }),
  version: '1.0.0',
  draining: () => false,
})
let port: number

beforeAll(async () => {
  await app.listen({ host: '127.0.0.1', port: 0 })
  port = (app.server.address() as net.AddressInfo).port
})
afterAll(() => app.close())

/** Sends bytes as they are and returns everything the server says until it hangs up. */
async function speak(bytes: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  socket.write(bytes)
  return text(socket)
}

function problemOf(answer: string): Record<string, unknown> {
  expect(answer).toContain('application/problem+json')
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as Record<string, unknown>
}

test.each([
  ['a URL of 20 kB', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
  ['headers of 20 kB', `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ['two lengths', 'POST /api/work/wait HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}', 400],
  [
    'a length and a chunked body',
    'POST /api/work/wait HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}',
    400,
  ],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
  ['no HTTP at all', 'hello\r\n\r\n', 400],
])('%s is answered and the connection closed', async (_name, bytes, status) => {
  const answer = await speak(bytes)
  expect(answer.startsWith(`HTTP/1.1 ${status} `)).toBe(true)
  expect(problemOf(answer)).toMatchObject({ code: 'bad_request', status })
  expect(answer).toMatch(/connection: close/i)
})

const oversize = 'x'.repeat(3 * 1024 * 1024)

test.each([
  ['announced', `Content-Length: ${oversize.length}\r\n\r\n${oversize}`],
  ['chunked', `Transfer-Encoding: chunked\r\n\r\n${oversize.length.toString(16)}\r\n${oversize}\r\n0\r\n\r\n`],
  ['announced and never sent', `Content-Length: ${oversize.length}\r\n\r\n`],
  ['chunked and never finished', `Transfer-Encoding: chunked\r\n\r\n${(oversize.length * 2).toString(16)}\r\n${oversize}`],
])('a body that is too large, %s, is refused in words and the connection closed', async (_name, rest) => {
  const answer = await speak(`POST /api/work/wait HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${rest}`)
  expect(problemOf(answer)).toMatchObject({ code: 'body_too_large', limit: 1024 * 1024 })
  expect(answer).toMatch(/connection: close/i)
})

test.each([
  ['a key that is wrong', 'POST /api/work/wait', 401],
  ['no such route', 'POST /api/nothing', 404],
])('with %s, no byte of the body is waited for', async (what, line, status) => {
  const authorization = what === 'no such route' ? '' : 'Authorization: Bearer stranger\r\n'
  const answer = await speak(
    `${line} HTTP/1.1\r\nHost: a\r\n${authorization}Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n`,
  )
  expect(problemOf(answer)).toMatchObject({ status })
  expect(answer).toMatch(/connection: close/i)
})

test('pipelined requests are run one at a time, and answered in order', async () => {
  const running: Array<() => void> = []
  run = async () => {
    await new Promise<void>((resolve) => running.push(resolve))
    return { status: 200, bytes: '{}', replayed: false }
  }
  const socket = net.connect(port, '127.0.0.1')
  socket.write('POST /api/work/wait HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'.repeat(4))
  let said = ''
  socket.on('data', (chunk: Buffer) => (said += chunk.toString()))
  for (let n = 1; n <= 4; n++) {
    await expect.poll(() => running.length).toBe(n)
    expect(said.split('HTTP/1.1 200').length).toBe(n)
    running.at(-1)!()
  }
  await expect.poll(() => said.split('HTTP/1.1 200').length).toBe(5)
  socket.destroy()
})

test('a connection that pipelines without end is closed', async () => {
  run = async ({ signal }) => {
    await once(signal, 'abort')
    return { status: 200, bytes: '{}', replayed: false }
  }
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('POST /api/work/wait HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'.repeat(200))
  await once(socket.resume(), 'close')
})

test('a client that sends everything before it reads gets the refusal every time', async () => {
  for (let round = 0; round < 10; round++) {
    const response = await fetch(`http://127.0.0.1:${port}/api/work/wait`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: oversize,
    })
    expect(response.status).toBe(413)
    await response.text()
  }
})

test('the call hears that its caller hung up', async () => {
  const started = Promise.withResolvers<AbortSignal>()
  const aborted = Promise.withResolvers<void>()
  run = async ({ signal }) => {
    signal.addEventListener('abort', () => aborted.resolve())
    started.resolve(signal)
    await aborted.promise
    return { status: 200, bytes: '{}', replayed: false }
  }
  const socket = net.connect(port, '127.0.0.1')
  socket.write('POST /api/work/wait HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}')
  const signal = await started.promise
  expect(signal.aborted).toBe(false)
  socket.destroy()
  await aborted.promise
  expect(signal.aborted).toBe(true)
})

test('a call that was answered is never aborted', async () => {
  let signal: AbortSignal | undefined
  run = async (request) => {
    signal = request.signal
    return { status: 200, bytes: '{}', replayed: false }
  }
  const socket = net.connect(port, '127.0.0.1')
  socket.write('POST /api/work/wait HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(await text(socket)).toContain('200 OK')
  if (!socket.destroyed) await once(socket, 'close')
  expect(signal!.aborted).toBe(false)
})
