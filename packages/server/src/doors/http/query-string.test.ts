import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { describe, expect, test } from 'vitest'
import { parseQuery, planQuery } from './query-string.ts'

const plan = planQuery(
  Type.Object({
    filter: Type.Optional(Type.Object({ state: Type.Optional(Type.String()) }, { additionalProperties: true })),
    page: Type.Optional(Type.Object({ size: Type.Optional(Type.Integer()), number: Type.Optional(Type.Integer()) })),
    include: Type.Optional(Type.String()),
    wait: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
    priority: Type.Optional(Type.Union([Type.Integer(), Type.String()])),
    flag: Type.Optional(Type.Boolean()),
    types: Type.Optional(Type.Array(Type.String())),
  }),
)
const parse = (text: string) => parseQuery(text, plan)

function refusal(text: string): WorkError {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof WorkError) return error
    throw error
  }
  throw new Error('was not refused')
}

describe('a query string becomes input members', () => {
  test.each([
    ['', {}],
    ['&&', {}],
    ['include=items,events', { include: 'items,events' }],
    ['filter[state]=queued&filter[items.state]=leased', { filter: { state: 'queued', 'items.state': 'leased' } }],
    ['filter%5Bcreated_at%5D=%3E%3D2025-01-15', { filter: { created_at: '>=2025-01-15' } }],
    ['filter[priority]=>=5', { filter: { priority: '>=5' } }],
    ['fields[work_orders]=id,state&fields[items]=id', { fields: { work_orders: 'id,state', items: 'id' } }],
    ['page[size]=10&page[number]=2', { page: { size: 10, number: 2 } }],
    ['page[size]=abc', { page: { size: 'abc' } }],
    ['page[size]=1e3', { page: { size: '1e3' } }],
    ['page[size]=-5', { page: { size: -5 } }],
    ['wait=20', { wait: 20 }],
    ['priority=7', { priority: '7' }],
    ['flag=1', { flag: true }],
    ['flag=false', { flag: false }],
    ['flag=maybe', { flag: 'maybe' }],
    ['types=a', { types: ['a'] }],
    ['types=a&types=b', { types: ['a', 'b'] }],
    ['types[]=a&types[]=b', { types: ['a', 'b'] }],
    ['filter[state][]=queued&filter[state][]=failed', { filter: { state: ['queued', 'failed'] } }],
    ['sort=-priority&name=a+b%20c&empty=&bare', { sort: '-priority', name: 'a b c', empty: '', bare: '' }],
    ['toString=x&hasOwnProperty=y', { toString: 'x', hasOwnProperty: 'y' }],
  ])('%s', (text, expected) => {
    expect(parse(text)).toEqual(expected)
  })
})

describe('a query string that is refused', () => {
  test.each([
    ['include=a&include=b', 'invalid_filter', /more than once/],
    ['filter[state]=a&filter[state]=b', 'invalid_filter', /more than once/],
    ['filter=a&filter[state]=b', 'invalid_filter', /two forms/],
    ['filter[state]=b&filter=a', 'invalid_filter', /two forms/],
    ['filter[state=a', 'invalid_filter', /cannot be read/],
    ['filter[priority][gte]=5', 'invalid_filter', /cannot be read/],
    ['=x', 'invalid_filter', /cannot be read/],
    ['a=%E0%A4%A', 'bad_request', /percent-encoded/],
    [Array.from({ length: 101 }, (_, index) => `p${index}=1`).join('&'), 'bad_request', /more than 100/],
    ['__proto__[x]=1', 'forbidden_key', /__proto__/],
    ['filter[__proto__]=1', 'forbidden_key', /__proto__/],
    ['constructor[prototype]=1', 'forbidden_key', /constructor/],
  ])('%s', (text, code, reason) => {
    expect(refusal(text).code).toBe(code)
    expect(refusal(text).message).toMatch(reason)
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  test('a million parameters cost no more than a hundred', () => {
    expect(refusal('a=1&'.repeat(1_000_000)).code).toBe('bad_request')
  })
})
