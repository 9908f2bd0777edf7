/** One contract, as data, for every language: sdks/contract. Each scenario runs with each SDK, against one real server. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defineOrderType } from '../../server/src/work/order-types/define-order-type.ts'
import { echoType } from '../../server/testing/echo-type.ts'
import { type Caller, startTestServer, type TestServer } from '../../server/testing/test-server.ts'
import type { Scenario } from '../testing/contract-scenarios.ts'
import { type Python, python } from '../testing/python.ts'
import { startTcpProxy, type TcpProxy } from '../testing/tcp-proxy.ts'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const scenarios = JSON.parse(readFileSync(at('../../../sdks/contract/scenarios.json'), 'utf8')) as Scenario[]

/** One part per chapter, in pieces; a piece in capitals is refused. */
const bookType = defineOrderType({
  type: 'test.book',
  payload: Type.Object({ chapters: Type.Array(Type.String(), { minItems: 1 }) }),
  input: Type.Object({ chapters: Type.Array(Type.String()) }),
  result: Type.Object({ text: Type.String() }),
  parts: {
    schemas: { '*': Type.Object({ text: Type.String() }) },
    required: ({ chapters }) => chapters,
    verify: [
      {
        name: 'no shouting',
        check: ({ payload }) => {
          const { text } = payload as { text: string }
          return text === text.toLowerCase() ? [] : [{ field: 'text', code: 'shouting', message: 'Write small letters.' }]
        },
      },
    ],
    assemble: (parts) => ({ text: parts.map((part) => (part.payload as { text: string }).text).join(' ') }),
  },
  plan: ({ payload }) => [{ input: { chapters: payload.chapters } }],
  apply: (context) => context.diff({}, {}),
})

let server: TestServer
let proxy: TcpProxy
let person: Caller
let foreign: http.Server
const authorizations: unknown[] = []

beforeAll(async () => {
  server = await startTestServer({
    types: [echoType, bookType, { ...echoType, type: 'test.quiet' }],
    config: { lease: { heartbeat_every_seconds: 1 } },
  })
  proxy = await startTcpProxy(server.url)
  person = await server.caller('person', 'ada')
  // Sends everybody elsewhere, and the key must not go along.
  foreign = http.createServer((request, response) => {
    authorizations.push([request.url, request.headers.authorization])
    response.writeHead(302, { location: '/elsewhere' }).end('<html>')
  })
  foreign.listen(0, '127.0.0.1')
  await once(foreign, 'listening')
})
afterAll(async () => {
  foreign?.close()
  await proxy?.close()
  await server?.stop()
})

interface Told {
  readonly events: any[]
  readonly answers: any[]
  readonly totals?: any
  readonly error?: any
}

/** Runs a driver and listens to it; what the scenario says happens meanwhile is done when it is due. */
async function drive(
  command: readonly string[],
  env: object,
  scenario: Scenario,
  order: string | undefined,
  { key, agentId }: { key: string; agentId: string },
): Promise<Told> {
  const url = scenario.url === 'foreign' ? `http://127.0.0.1:${(foreign.address() as AddressInfo).port}` : proxy.url
  const child = spawn(command[0]!, [...command.slice(1), JSON.stringify({ url, key: scenario.key ?? key, scenario, order })], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const told: { events: any[]; answers: any[]; totals?: any; error?: any } = { events: [], answers: [] }
  const done = once(child, 'close')
  const { meanwhile } = scenario
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, answer, ...last } = JSON.parse(line)
    Object.assign(told, last)
    if (answer) told.answers.push(answer)
    if (!event) continue
    told.events.push(event)
    if (meanwhile === undefined || event.kind !== meanwhile.on) continue
    if (meanwhile.do === 'revoke') {
      const { status, text } = await person.post('/leases/revoke', { agent: agentId, reason: 'A test.' })
      expect(status, text).toBe(200)
    } else proxy.loseAnswer(new RegExp(meanwhile.of!))
    child.stdin.write('go\n')
  }
  await done
  expect(stderr).toBe('')
  return told
}

async function judge(scenario: Scenario, told: Told, order: string | undefined): Promise<void> {
  const { expect: wanted } = scenario
  const what = JSON.stringify(told.error ?? told.events.filter((event) => event.error))
  if (wanted.error) expect(told.error).toMatchObject(wanted.error)
  else expect(told.error, what).toBeUndefined()
  if (wanted.totals) expect(told.totals, what).toMatchObject(wanted.totals)
  const kinds = told.events.map((event) => event.kind as string)
  if (wanted.events) expect(kinds.filter((kind) => !['heartbeat', 'idle', 'draining'].includes(kind))).toEqual(wanted.events)
  if (wanted.event) expect(told.events).toContainEqual(expect.objectContaining(wanted.event))
  if (wanted.message_length) expect(told.events.find((event) => event.kind === 'failed').message).toHaveLength(wanted.message_length)
  for (const [n, { members, error, ...answer }] of (wanted.answers ?? []).entries()) {
    expect(told.answers[n]).toMatchObject(answer)
    if (error) expect(told.answers[n].error).toMatchObject(error)
    if (members) expect(Object.keys(told.answers[n].output.data[0])).toEqual(expect.arrayContaining([...members]))
  }
  if (order === undefined) return
  const { body } = await person.get(`/orders/${order}`)
  if (wanted.order) expect(body.order.state).toBe(wanted.order)
  if (wanted.items) expect(body.order.items).toMatchObject(wanted.items)
  for (const [n, submission] of (wanted.submissions ?? []).entries()) {
    const { submissions } = (await person.get(`/items/${body.order.items[n].id}`)).body
    expect(submissions).toMatchObject([submission])
  }
}

const languages: ReadonlyArray<[string, readonly string[], object, Python]> = [
  ['TypeScript', [process.execPath, at('../testing/contract-driver.ts')], {}, { isThere: true }],
  ['Python', ['python3', at('../../../sdks/python/tests/contract_driver.py')], { PYTHONPATH: at('../../../sdks/python/src') }, python],
]

describe.each(languages)('the SDK for %s', (language, command, env, { isThere }) => {
  it.skipIf(!isThere).each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', async (_, scenario) => {
    const agentId = `${language.toLowerCase()}-agent`
    const agent = await server.caller('agent', agentId)
    const orders: string[] = []
    for (const { type, payload } of scenario.orders ?? []) {
      const { body, text } = await person.post('/propose', { type, payload })
      expect(body.order, text).toBeDefined()
      orders.push(body.order.id)
    }
    if (scenario.lose_answer_of) proxy.loseAnswer(new RegExp(scenario.lose_answer_of))
    const told = await drive(command, env, scenario, orders[0], { key: agent.key, agentId })
    await judge(scenario, told, orders[0])
    if (scenario.url === 'foreign') expect(authorizations.every(([url]: any) => url !== '/elsewhere')).toBe(true)
  })
})
