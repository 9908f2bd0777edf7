/**
 * One case per verb, in `cases.ts` of its noun: a call that works. The tenancy matrix makes it for two tenants; the references show it
 * with the answer of a real server. Nothing lists the cases: they are found by their file name.
 */
import { globSync } from 'node:fs'
import { expect } from 'vitest'
import type { Operation } from '../src/kernel/operations/operation.ts'
import type { Answer, Caller, TestServer } from './test-server.ts'

export type Input = Record<string, unknown>

/** One tenant with a caller of each kind. */
export interface Side {
  readonly agent: Caller
  readonly person: Caller
  readonly service: Caller
  /** Stands in everything that this side writes, so that it can be looked for elsewhere. */
  readonly mark: string
  readonly server: TestServer
  readonly tenant: string
}

export interface Search {
  readonly member: string
  readonly value: string
  readonly absent: string
}

export interface Case {
  /** Who calls; a person unless it says otherwise. `prepared`: whom `call` names with `callAs`. */
  readonly by?: 'agent' | 'service' | 'prepared'
  /** Prepares what the call needs, the same way for any side, and returns the input. Needed where the input names an id. */
  readonly call?: (side: Side) => Promise<Input>
  /** The same for the references, where `call` is not good enough to be shown: a tenant of its own, so that samples do not meet. */
  readonly sample?: (side: Side) => Promise<Input>
  /** Of a list that goes by cursor: sees to two rows at least and returns the input that lists them. */
  readonly pages?: (side: Side) => Promise<Input>
  /** Searching for what another tenant has, and for what nobody has, must look the same. `input`: what `call` returned for them. */
  readonly search?: (theirs: Side, input: (verb: string) => Input) => readonly Search[]
  /** What must go on while the call waits. */
  readonly meanwhile?: (side: Side, asked: Promise<Answer>) => Promise<Answer>
}

export type Cases = Readonly<Record<string, Case>>

export const defineCases = <const C extends Cases>(cases: C): C => cases

/** Verb → its case, and the file that holds it. */
export async function loadCases(): Promise<{ cases: Cases; files: ReadonlyMap<string, string> }> {
  const root = new URL('../src/', import.meta.url)
  const cases: Record<string, Case> = {}
  const files = new Map<string, string>()
  for (const file of globSync('**/cases.ts', { cwd: root.pathname }).toSorted()) {
    const { cases: own } = (await import(new URL(file, root).href)) as { cases: Cases }
    for (const [name, one] of Object.entries(own)) {
      if (files.has(name)) throw new Error(`two cases of ${name}: in ${files.get(name)} and in ${file}`)
      cases[name] = one
      files.set(name, file)
    }
  }
  return { cases, files }
}

/** `names`: what is added to the names of the callers. The agent's is the same on every side: equal names must not meet. */
export async function openSide(server: TestServer, tenant: string, mark: string, names = `-${mark}`): Promise<Side> {
  // One after the other: their keys are listed in this order.
  const agent = await server.caller('agent', 'agent-1', { tenant })
  const person = await server.caller('person', `rita${names}`, { tenant })
  const service = await server.caller('service', `crm${names}`, { tenant })
  return { mark, server, tenant, agent, person, service }
}

const preparedCallers = new WeakMap<Side, Caller>()

/** Names the caller of a case whose `by` is `prepared`. */
export const callAs = (side: Side, caller: Caller): void => void preparedCallers.set(side, caller)

export const callerOf = (side: Side, { by }: Case): Caller =>
  by === undefined ? side.person : by === 'prepared' ? preparedCallers.get(side)! : side[by]

export interface Request {
  readonly method: 'GET' | 'POST'
  /** With the query. */
  readonly path: string
  readonly body?: Input
}

/** An input as the request that carries it. */
export function requestOf({ http: { method, path } }: Operation, input: Input): Request {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name!)
  const target = path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(input[name])))
  const rest = Object.fromEntries(Object.entries(input).filter(([name]) => !inPath.includes(name)))
  if (method === 'POST') return { method, path: target, ...(Object.keys(rest).length > 0 ? { body: rest } : {}) }
  const query = Object.entries(rest).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
  return { method, path: query.length > 0 ? `${target}?${query.join('&')}` : target }
}

export const send = (caller: Caller, { method, path, body }: Request): Promise<Answer> =>
  method === 'POST' ? caller.post(path, body ?? {}) : caller.get(path)

/** Fails the test when it was refused. */
export function done(answer: Answer): Answer {
  expect(answer.status, answer.text).toBeLessThan(300)
  return answer
}
