/**
 * Made from the list of operations: each one has every door, or a reason why not, and no door lets a key in that lacks its ability.
 * The refusal proves both at once: only the operation itself knows which ability it asks for.
 */
import { randomUUID } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { abilities, type Ability } from '@work-manager/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient, isWorkError } from '../../../sdk/src/index.ts'
import { Context } from '../../src/cli/context.ts'
import { explain } from '../../src/cli/explain.ts'
import { operationTable } from '../../src/cli/generated/operations.ts'
import { Output } from '../../src/cli/output.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { type ConnectedClient, connect } from '../../src/doors/mcp/fixtures/clients.ts'
import { operations } from '../../src/systems.ts'
import { startTestServer, type Caller, type TestServer } from '../test-server.ts'
import { commandOf, methodOf, routeOf, toolCall } from './doors.ts'

const everyAbility = Object.keys(abilities) as Ability[]
let server: TestServer
/** Ability → a person's key that holds all the others. */
const without = new Map<Ability, Caller>()
let agent: Caller
let powerful: Caller
const clients = new Map<Caller, Promise<ConnectedClient>>()
const mcp = (caller: Caller): Promise<ConnectedClient> => {
  if (!clients.has(caller)) clients.set(caller, connect('2026-07-28', 'http', server.url, caller.key))
  return clients.get(caller)!
}
beforeAll(async () => {
  server = await startTestServer({ background: false })
  for (const lacked of everyAbility)
    without.set(lacked, await server.caller('person', 'rita', { abilities: everyAbility.filter((one) => one !== lacked) }))
  powerful = await server.caller('person', 'ada', { abilities: everyAbility })
  agent = await server.caller('agent', 'agent-1', { abilities: everyAbility })
})
afterAll(async () => {
  for (const client of clients.values()) await (await client).close()
  await server.stop()
})

/** Something for every required member, so that each door lets the call through to the operation. */
function sampleInput(operation: string): Record<string, unknown> {
  const samples = { text: 'sample', integer: 1, number: 1, boolean: true, json: { sample: 1 } }
  return Object.fromEntries(
    commandOf(operation).members.flatMap(({ name, kind, required, inPath, choices }) =>
      required ? [[name, inPath ? randomUUID() : (choices?.[0] ?? samples[kind])]] : [],
    ),
  )
}

async function refusedByCommand(key: string, operation: string): Promise<{ code: string; exit: number }> {
  const streams = { stdin: Readable.from([]), stdout: new PassThrough(), stderr: new PassThrough() } as unknown as NodeJS.Process
  const context = new Context(new Output(streams, {}), { WORK_MANAGER_URL: server.url, WORK_MANAGER_KEY: key }, '/')
  const words = commandOf(operation).members.flatMap(({ name, inPath, kind }) => {
    const value = sampleInput(operation)[name]
    if (value === undefined) return []
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return inPath ? [text] : kind === 'boolean' ? [`--${name.replaceAll('_', '-')}`] : [`--${name.replaceAll('_', '-')}`, text]
  })
  try {
    await buildProgram(context, '0', operationTable).parseAsync(['--json', 'call', operation, ...words], { from: 'user' })
  } catch (error) {
    return explain(error)
  }
  throw new Error(`call ${operation} was let in`)
}

it('every ability of the contract is asked for by some operation', () => {
  expect(everyAbility.filter((ability) => !operations.some((operation) => operation.ability === ability))).toEqual([])
})

describe.each(operations.map((operation) => ({ name: operation.name, operation })))('$name', ({ name, operation }) => {
  const call = () => ({ operation: name, input: sampleInput(name) })
  const powerless = () => without.get(operation.ability)!

  it('asks for an ability that the contract knows; reading is never enough to change something', () => {
    expect(everyAbility).toContain(operation.ability)
    if (operation.http.method !== 'GET') expect(operation.ability).not.toBe('work:view')
  })

  it('has its route, under every name', async () => {
    for (const alias of [operation.http.path, ...(operation.http.aliases ?? [])]) {
      const path = alias.replaceAll(/:\w+/g, () => randomUUID())
      const { rest } = routeOf(call())
      const ask = (caller: Caller) => (operation.http.method === 'GET' ? caller.get(path) : caller.post(path, rest))
      const answer = await ask(powerless())
      expect([answer.status, answer.body.code, answer.body.ability], alias).toEqual([403, 'scope_missing', operation.ability])
      const kind = await ask(agent)
      if (operation.peopleOnly) expect([kind.status, kind.body.code], alias).toEqual([403, 'agents_cannot_decide'])
    }
    const unknown = await fetch(`${server.url}/api/work${routeOf(call()).path}`, { method: operation.http.method })
    expect([unknown.status, ((await unknown.json()) as { code: string }).code]).toEqual([401, 'auth_required'])
  })

  it('is a tool, or says why it is none', async () => {
    const tool = toolCall(call())
    if (typeof operation.tool === 'string') expect(operation.tool.length, 'a reason').toBeGreaterThan(10)
    if (tool === undefined) return
    const listed = async (caller: Caller) => (await (await mcp(caller)).tools()).map((one) => one.name)
    expect([await listed(powerful), await listed(powerless())]).toEqual([
      expect.arrayContaining([tool.name]),
      expect.not.arrayContaining([tool.name]),
    ])
    const answer = await (await mcp(powerless())).call(tool.name, tool.args)
    expect([answer.isError, answer.value.code, answer.value.ability]).toEqual([true, 'scope_missing', operation.ability])
    if (!operation.peopleOnly) return
    expect(await listed(agent)).not.toContain(tool.name)
    expect((await (await mcp(agent)).call(tool.name, tool.args)).value.code).toBe('agents_cannot_decide')
  })

  it('is a method of the SDK', async () => {
    const client = createClient({ url: server.url, key: powerless().key, retry: false }) as unknown as Record<
      string,
      (input: object) => Promise<unknown>
    >
    const error: unknown = await client[methodOf(name)]!(sampleInput(name)).catch((thrown: unknown) => thrown)
    expect(isWorkError(error, 'scope_missing') && [error.operation, error.problem['ability']]).toEqual([name, operation.ability])
  })

  it('is a command', async () => {
    expect(await refusedByCommand(powerless().key, name)).toMatchObject({ code: 'scope_missing', exit: 4 })
  })
})
