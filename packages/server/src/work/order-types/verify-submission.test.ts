import Type from 'typebox'
import { describe, expect, it } from 'vitest'
import { defineOrderType, type OrderType } from './define-order-type.ts'
import { planItems } from './plan-items.ts'
import { makeDiff } from '../applying/diff.ts'
import { TypeCrashed } from './type-crashed.ts'
import { assembleParts, checkPart, checkReadiness, checkSubmission, requiredParts } from './verify-submission.ts'

const schemas = { payload: Type.Object({ n: Type.Integer() }), result: Type.Object({ m: Type.Integer() }) }
const base = { type: 'demo.sum', ...schemas, apply: () => makeDiff({}, {}) }
const define = (more: object = {}): OrderType => defineOrderType({ ...base, ...more })
const order = { id: 'o', tenantId: 't', type: 'demo.sum', priority: 0, payload: { n: 1 }, meta: null, revision: 1 }
const item = (state: 'submitted' | 'dead_lettered') => ({ id: 'i', ordinal: 0, state, input: {}, result: { m: 1 }, evidence: [] })

describe('checkSubmission', () => {
  it('passes what matches', async () => {
    expect(await checkSubmission(define(), { input: { n: 1 }, result: { m: 2 } })).toEqual([])
  })

  it('runs no check on a result of the wrong shape', async () => {
    const type = define({
      verify: [
        {
          name: 'never',
          check: () => {
            throw new Error('was run')
          },
        },
      ],
    })
    expect(await checkSubmission(type, { input: { n: 1 }, result: { m: 'x' } })).toMatchObject([
      { field: 'm', code: 'schema.type_mismatch' },
    ])
  })

  it('reports evidence that is no evidence beside the result', async () => {
    const findings = await checkSubmission(define(), { input: {}, result: {}, evidence: [{ url: 'https://a.b', hash: 'md5:1' }, {}] })
    expect(findings.map((f) => [f.field, f.code])).toEqual([
      ['m', 'schema.required'],
      ['evidence.0.hash', 'evidence.pattern'],
      ['evidence.1.url', 'evidence.required'],
    ])
    expect(await checkSubmission(define(), { input: {}, result: { m: 1 }, evidence: { u: 1 } })).toMatchObject([
      { code: 'evidence.type_mismatch' },
    ])
  })

  it('hands materials to the checks, and each finding names its check', async () => {
    const type = define({
      gather: async () => 7,
      verify: [
        {
          name: 'is_seven',
          check: ({ result, materials }: { result: { m: number }; materials: number }) =>
            result.m === materials ? [] : [{ field: 'm', code: 'not_seven', message: 'm must be 7' }],
        },
      ],
    })
    expect(await checkSubmission(type, { input: {}, result: { m: 7 } })).toEqual([])
    expect(await checkSubmission(type, { input: {}, result: { m: 8 } })).toEqual([
      { check: 'is_seven', field: 'm', code: 'not_seven', message: 'm must be 7' },
    ])
  })

  it('runs every check, not only up to the first that finds something', async () => {
    const failing = (name: string) => ({ name, check: () => [{ field: name, code: name, message: name }] })
    expect(await checkSubmission(define({ verify: [failing('a'), failing('b')] }), { input: {}, result: { m: 1 } })).toHaveLength(2)
  })

  const crashes: [what: string, more: object, message: RegExp][] = [
    [
      'a check that throws',
      {
        verify: [
          {
            name: 'bad',
            check: () => {
              throw new Error('oops')
            },
          },
        ],
      },
      /verify\.bad threw: oops/,
    ],
    ['an asynchronous check', { verify: [{ name: 'slow', check: async () => [] }] }, /without a promise: checks are pure/],
    [
      'a finding without a message',
      { verify: [{ name: 'bare', check: () => [{ field: 'x' }] }] },
      /finding without field, code and message/,
    ],
    [
      'a gather that throws',
      {
        gather: () => {
          throw new Error('no disk')
        },
      },
      /gather threw: no disk/,
    ],
    ['a gather that never ends', { gather: () => new Promise(() => {}), gatherTimeoutMs: 5 }, /gather took longer than 5 ms/],
  ]
  it.each(crashes)('%s is a bug of the type, not a finding', async (_, more, message) => {
    const error: unknown = await checkSubmission(define(more), { input: {}, result: { m: 1 } }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(TypeCrashed)
    expect((error as TypeCrashed).message).toMatch(message)
  })

  it('gather hears of its limit through the signal', async () => {
    let heard: AbortSignal | undefined
    const type = define({
      gather: ({ signal }: { signal: AbortSignal }) =>
        new Promise(() => {
          heard = signal
        }),
      gatherTimeoutMs: 5,
    })
    await expect(checkSubmission(type, { input: {}, result: { m: 1 } })).rejects.toMatchObject({ timedOut: true, member: 'gather' })
    expect(heard?.aborted).toBe(true)
  })
})

describe('parts', () => {
  const type = define({
    parts: {
      schemas: { head: Type.Object({ h: Type.Integer() }), body: Type.Object({ b: Type.Integer() }) },
      required: () => ['head', 'body'],
      verify: [
        {
          name: 'positive',
          check: ({ payload }: { payload: { h?: number } }) =>
            (payload.h ?? 1) > 0 ? [] : [{ field: 'h', code: 'negative', message: 'h must be positive' }],
        },
      ],
    },
  })
  const part = (partKey: string, payload: unknown) => ({ input: {}, partKey, seq: null, payload })

  it('are judged by the schema of their key and the checks', async () => {
    expect(await checkPart(type, part('head', { h: 1 }))).toEqual([])
    expect(await checkPart(type, part('head', { h: 'x' }))).toMatchObject([{ code: 'schema.type_mismatch' }])
    expect(await checkPart(type, part('head', { h: -1 }))).toMatchObject([{ code: 'negative', check: 'positive' }])
  })

  it('an unknown key is refused with the known ones', async () => {
    const [finding] = await checkPart(type, part('haed', {}))
    expect(finding?.message).toBe("There is no part 'haed'; did you mean 'head'?; keys: head, body")
  })

  it('a type without parts says so', async () => {
    await expect(checkPart(define(), part('x', {}))).rejects.toMatchObject({ code: 'parts_not_supported' })
    expect(() => requiredParts(define(), {})).toThrow(expect.objectContaining({ code: 'parts_not_supported' }))
  })

  it('assembles the highest seq of each key, by number and with null lowest', () => {
    const parts = [
      { partKey: 'a', seq: 10, payload: 'ten' },
      { partKey: 'a', seq: 2, payload: 'two' },
      { partKey: 'b', seq: 0, payload: 'zero' },
      { partKey: 'b', seq: null, payload: 'none' },
      { partKey: '__proto__', seq: null, payload: 1 },
    ]
    const assembled = assembleParts(type, parts, {}) as object
    expect(Object.entries(assembled)).toEqual([
      ['__proto__', 1],
      ['a', 'ten'],
      ['b', 'zero'],
    ])
  })
})

describe('checkReadiness', () => {
  it('needs something submitted, and no dead letter unless the type goes on without', () => {
    expect(checkReadiness(define(), order, [])).toMatchObject([{ code: 'nothing_submitted' }])
    expect(checkReadiness(define(), order, [item('submitted'), item('dead_lettered')])).toMatchObject([{ code: 'item_dead_lettered' }])
    expect(checkReadiness(define({ onItemFailure: 'proceed' }), order, [item('submitted'), item('dead_lettered')])).toEqual([])
  })

  it('asks canApprove last, and a crash in it is a bug of the type', () => {
    const finding = { field: 'x', code: 'no', message: 'not yet' }
    expect(checkReadiness(define({ canApprove: () => [finding] }), order, [item('submitted')])).toEqual([finding])
    expect(() => checkReadiness(define({ canApprove: () => true }), order, [item('submitted')])).toThrow(/canApprove must return a list/)
  })
})

describe('planItems', () => {
  const plan = (items: unknown, more: object = {}) => planItems(define({ plan: () => items, ...more }), { payload: { n: 1 }, meta: null })

  it('takes over attempts and required parts', async () => {
    const more = { retry: { maxAttempts: 4 }, parts: { schemas: { a: {} }, required: () => ['a'] } }
    expect(await plan([{ input: 1 }, { input: 2, maxAttempts: 1 }], more)).toEqual([
      { type: 'demo.sum', input: 1, maxAttempts: 4, leaseTtlSeconds: null, partsRequired: ['a'] },
      { type: 'demo.sum', input: 2, maxAttempts: 1, leaseTtlSeconds: null, partsRequired: ['a'] },
    ])
  })

  it('lets everybody else have a turn every hundred items', async () => {
    let turns = 0
    let isOver = false
    const tick = (): void => {
      turns++
      if (!isOver) setImmediate(tick)
    }
    setImmediate(tick)
    await plan(Array.from({ length: 2_000 }, () => ({ input: 1 })))
    isOver = true
    expect(turns).toBeGreaterThanOrEqual(19)
  })

  it.each([
    ['no list', 'x', {}, /must return a list/],
    ['an item without input', [{}], {}, /without input/],
    [
      'more than fits in one statement',
      Array.from({ length: 100 }, () => ({ input: 'x'.repeat(100_000) })),
      {},
      /more than 8388608 bytes together \(up to number 83\)/,
    ],
    ['an input that is no JSON', [{ input: { n: 1n } }], {}, /plan threw/],
    ['an unregistered type', [{ input: 1, type: 'other' }], {}, /not registered/],
    [
      'an input that does not match',
      [{ input: { k: 'x' } }],
      { input: Type.Object({ k: Type.Integer() }) },
      /does not match the input schema: Field 'k' must be of type: integer/,
    ],
    ['a bad number of attempts', [{ input: 1, maxAttempts: 0 }], {}, /maxAttempts 0/],
    ['too many items', Array.from({ length: 10_001 }, () => ({ input: 1 })), {}, /at most 10000/],
  ])('refuses %s', async (_, items, more, message) => {
    await expect(plan(items, more)).rejects.toThrow(message)
  })
})

describe('makeDiff', () => {
  it('tells added, modified and removed keys apart; reordered keys are no change', () => {
    expect(makeDiff({ a: 1, b: { x: 1, y: 2 }, c: 3 }, { b: { y: 2, x: 1 }, c: 4, d: 5 }, 'done')).toEqual({
      before: { a: 1, b: { x: 1, y: 2 }, c: 3 },
      after: { b: { y: 2, x: 1 }, c: 4, d: 5 },
      changes: { c: { type: 'modified', from: 3, to: 4 }, d: { type: 'added', value: 5 }, a: { type: 'removed', value: 1 } },
      summary: 'done',
    })
  })
})
