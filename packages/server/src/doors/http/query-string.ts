/**
 * Query strings → input members. `filter[state]=queued&page[size]=10` becomes `{ filter: { state: 'queued' }, page: { size: 10 } }`.
 * A query holds only text, so a value becomes a number or a boolean where the operation's schema asks for one and the text is one;
 * anything else stays text, and the operation's own validation says what is wrong with it.
 */
import { WorkError } from '@work-manager/contract'
import { isPrototypeKey } from './json-pointer.ts'

/** How the text of one member is read; an object's members have plans of their own. */
export type MemberPlan = 'text' | 'number' | 'boolean' | 'list' | QueryPlan
export interface QueryPlan {
  readonly [member: string]: MemberPlan
}

type Member = string | number | boolean | string[] | { [name: string]: string | number | boolean | string[] }

interface SchemaNode {
  readonly type?: unknown
  readonly anyOf?: readonly SchemaNode[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
}

const mostParameters = 100

/** Reads an input schema once, at start. */
export function planQuery(schema: SchemaNode): QueryPlan {
  const plan: Record<string, MemberPlan> = Object.create(null)
  for (const [name, node] of Object.entries(schema.properties ?? {})) plan[name] = planMember(node)
  return plan
}

function planMember(node: SchemaNode): MemberPlan {
  const kinds = node.anyOf ?? [node]
  const ofType = (...types: string[]) => kinds.some((kind) => types.includes(String(kind.type)))
  if (ofType('string')) return 'text'
  if (ofType('array')) return 'list'
  if (ofType('integer', 'number')) return 'number'
  if (ofType('boolean')) return 'boolean'
  const object = kinds.find((kind) => kind.properties !== undefined)
  return object ? planQuery(object) : 'text'
}

/**
 * Parses the part after `?`.
 * Refuses with: bad_request (encoding, too many), forbidden_key, invalid_filter (brackets, a repeated parameter).
 */
export function parseQuery(text: string, plan: QueryPlan): Record<string, unknown> {
  const query: Record<string, Member> = {}
  if (text === '') return query
  const pairs = text.split('&', mostParameters + 1)
  if (pairs.length > mostParameters)
    throw new WorkError('bad_request', {
      detail: `The query string holds more than ${mostParameters} parameters.`,
      fix: 'Send fewer parameters.',
    })
  for (const pair of pairs) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    addParameter(query, plan, decode(equals === -1 ? pair : pair.slice(0, equals)), decode(equals === -1 ? '' : pair.slice(equals + 1)))
  }
  return query
}

function addParameter(query: Record<string, Member>, plan: QueryPlan, parameter: string, value: string): void {
  const parts = /^([^[\]]+)(?:\[([^[\]]+)\])?(\[\])?$/.exec(parameter)
  if (!parts) {
    throw new WorkError('invalid_filter', {
      detail: `The query parameter ${shown(parameter)} cannot be read.`,
      fix: 'Write name=value or name[member]=value, with one level of brackets; an operator goes into the value, as in filter[priority]=>=5.',
      extra: { parameter: parameter.slice(0, 64) },
    })
  }
  const [, name = '', member, listMark] = parts
  for (const key of [name, member]) {
    if (key !== undefined && (isPrototypeKey(key, null) || key === 'constructor' || key === 'prototype')) {
      throw new WorkError('forbidden_key', { detail: `The query parameter ${shown(parameter)} is not accepted; rename it.` })
    }
  }
  const asList = listMark !== undefined
  const own = plan[name] ?? 'text'
  if (member === undefined) {
    put(query, name, value, typeof own === 'string' ? own : 'text', asList, parameter)
    return
  }
  const outer = Object.hasOwn(query, name) ? query[name]! : (query[name] = {})
  if (typeof outer !== 'object' || Array.isArray(outer)) throw repeated(parameter, name)
  put(outer, member, value, typeof own === 'object' ? (own[member] ?? 'text') : 'text', asList, parameter)
}

function put(target: Record<string, Member>, name: string, value: string, plan: MemberPlan, asList: boolean, parameter: string): void {
  const earlier = Object.hasOwn(target, name) ? target[name] : undefined
  if (asList || plan === 'list') {
    if (earlier === undefined) target[name] = [value]
    else if (Array.isArray(earlier)) earlier.push(value)
    else throw repeated(parameter, name)
    return
  }
  if (earlier !== undefined) throw repeated(parameter, name)
  target[name] = read(value, plan)
}

function read(value: string, plan: MemberPlan): string | number | boolean {
  if (plan === 'number' && /^-?\d{1,15}(?:\.\d{1,15})?$/.test(value)) return Number(value)
  if (plan === 'boolean') {
    if (value === 'true' || value === '1') return true
    if (value === 'false' || value === '0') return false
  }
  return value
}

function decode(text: string): string {
  if (!/[%+]/.test(text)) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new WorkError('bad_request', {
      detail: `The query string holds ${shown(text)}, which is not percent-encoded UTF-8.`,
      fix: 'Write % as %25 and encode text as UTF-8.',
    })
  }
}

function repeated(parameter: string, name: string): WorkError {
  return new WorkError('invalid_filter', {
    detail: `The query parameter ${shown(parameter)} is given more than once, or in two forms.`,
    fix: `Send ${shown(name)} once; several values are separated by commas.`,
    extra: { parameter: parameter.slice(0, 64) },
  })
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 64))
