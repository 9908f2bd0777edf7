import Type from 'typebox'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { defineGenerator } from '../generators/define-generator.ts'
import { defineOrderType, DefinitionError, isOrderType } from './define-order-type.ts'

const diff = { before: {}, after: {}, changes: {}, summary: null }
const minimal = {
  type: 'demo.echo',
  payload: Type.Object({ message: Type.String() }),
  result: Type.Object({ ok: Type.Boolean() }),
  apply: () => diff,
}

function problemsOf(definition: object): readonly string[] {
  try {
    defineOrderType(definition as typeof minimal)
  } catch (error) {
    if (error instanceof DefinitionError) return error.problems
    throw error
  }
  return []
}

describe('defineOrderType', () => {
  it('fills what was left out', async () => {
    const type = defineOrderType(minimal)
    expect(type).toMatchObject({
      type: 'demo.echo',
      version: 1,
      title: 'demo.echo',
      autoApprove: false,
      duties: { selfApproval: 'refuse' },
      leaseTtlSeconds: null,
      maxLeases: null,
      onItemFailure: 'fail_order',
      retry: { maxAttempts: null },
    })
    expect(await type.plan({ payload: { message: 'hi' }, meta: null })).toEqual([{ input: { message: 'hi' } }])
    expect(type.validators.input).toBe(type.validators.payload)
    expect(type.canApprove({} as never, [])).toEqual([])
    expect(isOrderType(type)).toBe(true)
    expect(isOrderType(minimal)).toBe(false)
  })

  it('types plan, gather, checks and apply from TypeBox schemas', () => {
    defineOrderType({
      type: 'demo.typed',
      payload: Type.Object({ ids: Type.Array(Type.Integer()) }),
      input: Type.Object({ id: Type.Integer() }),
      result: Type.Object({ score: Type.Number() }),
      plan({ payload }) {
        expectTypeOf(payload.ids).toEqualTypeOf<number[]>()
        return payload.ids.map((id) => ({ input: { id } }))
      },
      gather: async () => ({ now: 'x' }),
      verify: [
        {
          name: 'typed',
          check({ input, result, materials }) {
            expectTypeOf(input.id).toEqualTypeOf<number>()
            expectTypeOf(result.score).toEqualTypeOf<number>()
            expectTypeOf(materials.now).toEqualTypeOf<string>()
            return []
          },
        },
      ],
      apply(ctx) {
        expectTypeOf(ctx.order.payload.ids).toEqualTypeOf<number[]>()
        expectTypeOf(ctx.items[0]!.result.score).toEqualTypeOf<number>()
        return ctx.diff({}, {})
      },
    })
  })

  it('types from Zod, and the input is the payload when it has no schema of its own', () => {
    defineOrderType({
      type: 'demo.zod',
      payload: z.object({ url: z.string() }),
      result: z.object({ status: z.number() }),
      verify: [
        {
          name: 'typed',
          check({ input, result }) {
            expectTypeOf(input.url).toEqualTypeOf<string>()
            expectTypeOf(result.status).toEqualTypeOf<number>()
            return []
          },
        },
      ],
      apply: (ctx) => ctx.diff({}, { n: ctx.items.length }),
    })
  })

  it('types from a plain JSON Schema written in place', () => {
    defineOrderType({
      type: 'demo.json',
      payload: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
      result: { type: 'object' },
      plan({ payload }) {
        expectTypeOf(payload.n).toEqualTypeOf<number>()
        return [{ input: payload }]
      },
      apply: (ctx) => ctx.diff({}, {}),
    })
  })

  it('a function that uses `this` still finds its definition', async () => {
    const type = defineOrderType({
      ...minimal,
      plan(this: { type: string }) {
        return [{ input: { message: this.type } }]
      },
    })
    expect(await type.plan({ payload: { message: '' }, meta: null })).toEqual([{ input: { message: 'demo.echo' } }])
  })

  const refused: [what: string, change: object, problem: RegExp][] = [
    ['an upper-case name', { type: 'Demo.Echo' }, /dotted lower case/],
    ['a long name', { type: 'a'.repeat(121) }, /120 characters/],
    ['a version of zero', { version: 0 }, /version must be a whole number/],
    ['no lease at all', { maxLeases: 0 }, /maxLeases must be a whole number from 1 to 1000000, not 0/],
    ['secrets by path', { secretFields: ['card.number'] }, /secretFields must be a list of member names .*no paths/],
    ['one secret without a list', { secretFields: 'ssn' }, /secretFields must be a/],
    ['a short lease', { leaseTtlSeconds: 4 }, /leaseTtlSeconds must be a whole number from 5 to 86400, not 4/],
    ['no attempts', { retry: { maxAttempts: 0 } }, /retry.maxAttempts/],
    ['a back-off above its cap', { retry: { baseSeconds: 100, maxSeconds: 10 } }, /is more than retry.maxSeconds/],
    ['a misspelled member', { verfy: [] }, /'verfy' is not a member/],
    ['a missing apply', { apply: undefined }, /apply is missing/],
    ['a check that is no check', { verify: [{ name: 'x' }] }, /verify\[0\] must be \{ name, check/],
    [
      'two checks of one name',
      {
        verify: [
          { name: 'x', check: () => [] },
          { name: 'x', check: () => [] },
        ],
      },
      /two checks named 'x'/,
    ],
    ['parts without required', { parts: { schemas: { a: {} } } }, /parts.required\(input\) is missing/],
    ['an effect without deduplicates', { effects: { mail: { run() {} } } }, /effects.mail must be/],
    ['an unknown duty', { duties: { selfApproval: 'maybe' } }, /duties.selfApproval/],
    ['auto-approval without any rule', { autoApprove: true }, /autoApprove needs canApprove, verify or gather/],
    ['a broken schema', { result: { type: 'objekt' } }, /result: type must be one or more of/],
  ]
  it.each(refused)('refuses %s', (_, change, problem) => {
    expect(problemsOf({ ...minimal, ...change }).join('\n')).toMatch(problem)
  })

  it('reports every problem at once', () => {
    expect(problemsOf({ ...minimal, type: 'A', version: 0, leaseTtlSeconds: 1, result: { type: 'x' } })).toHaveLength(4)
  })

  it('auto-approval with a check is accepted', () => {
    expect(problemsOf({ ...minimal, autoApprove: true, canApprove: () => [] })).toEqual([])
  })
})

describe('defineGenerator', () => {
  it('knows its next run in UTC', () => {
    const nightly = defineGenerator({ name: 'nightly.audit', schedule: '0 3 * * *', generate: () => [] })
    expect(nightly.nextRun(new Date('2026-01-31T02:59:00Z'))?.toISOString()).toBe('2026-01-31T03:00:00.000Z')
    expect(nightly.nextRun(new Date('2026-01-31T03:00:00Z'))?.toISOString()).toBe('2026-02-01T03:00:00.000Z')
  })

  it.each([
    ['a schedule that is none', { name: 'a', schedule: 'often', generate: () => [] }, /is not a cron expression/],
    ['a schedule that never comes', { name: 'a', schedule: '0 0 30 2 *', generate: () => [] }, /never comes/],
    ['no function', { name: 'a', schedule: '* * * * *' }, /generate\(context\) is missing/],
    ['a bad name', { name: 'A b', schedule: '* * * * *', generate: () => [] }, /name must be dotted/],
  ])('refuses %s', (_, definition, problem) => {
    expect(() => defineGenerator(definition as never)).toThrow(problem)
  })
})
