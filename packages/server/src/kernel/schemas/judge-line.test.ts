/** What takes long is not judged by the thread that serves everybody. Counted, not timed. */
import Type from 'typebox'
import { afterAll, describe, expect, it } from 'vitest'
import { createJudge, mostSteps, stepsAtOnce } from './json-schema-judge.ts'
import { OutOfSteps } from './judge.ts'
import { JudgeLine } from './judge-line.ts'
import { boundedSchema } from './schema-limits.ts'
import { compileSchema, judgeLine } from './schema-validator.ts'

const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })
const mebibyte = 1024 * 1024
/** 400 alternatives that only the last word tells apart. */
const alternatives = {
  type: 'array',
  items: {
    anyOf: Array.from({ length: 400 }, (_, i) =>
      object({ [`a${i}`]: { type: 'integer' } }, { required: [`a${i}`], additionalProperties: false }),
    ),
  },
}

const large: [name: string, schema: object, value: () => unknown, errors: number][] = [
  ['400 alternatives for 5,000 items', alternatives, () => Array.from({ length: 5_000 }, () => ({ a399: 1 })), 0],
  [
    '400 alternatives for 5,000 items, the last of which fits none',
    alternatives,
    () => [...Array.from({ length: 5_000 }, () => ({ a399: 1 })), {}],
    1,
  ],
  [
    '100,000 members that are accepted',
    object({ a: {} }, { additionalProperties: { type: 'integer' } }),
    () => Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, 1])),
    0,
  ],
  [
    '100,000 unknown members',
    object({ a: {} }, { additionalProperties: false }),
    () => Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, 1])),
    50,
  ],
  [
    '100,000 different items',
    { type: 'array', uniqueItems: true, items: { type: 'string' } },
    () => Array.from({ length: 100_000 }, (_, i) => `s${i}`),
    0,
  ],
  ['a megabyte for a pattern', { type: 'string', pattern: '^(?:[a-z0-9]+\\.?){1,60}$' }, () => 'a'.repeat(64 * 1024), 0],
]

describe('what takes more steps than are taken at once', () => {
  it.each(large)('%s', async (_, schema, value, errors) => {
    const before = judgeLine.judged
    const given = value()
    const verdict = compileSchema(schema).validate(given)
    expect(verdict).toBeInstanceOf(Promise)
    expect(await verdict).toHaveLength(errors)
    expect(judgeLine.judged).toBe(before + 1)
    // As the judge would have said at once.
    expect(await verdict).toEqual(createJudge(boundedSchema(schema)).judge(given, mostSteps))
  })

  it('alternatives that name their kind are found by it: two steps an item, however many there are', () => {
    const kinds = {
      type: 'array',
      items: {
        oneOf: Array.from({ length: 400 }, (_, i) => object({ kind: { const: `k${i}` }, n: { type: 'integer' } }, { required: ['kind'] })),
      },
    }
    const judge = createJudge(boundedSchema(kinds))
    const items = Array.from({ length: 4_000 }, (_, i) => ({ kind: `k${i % 400}`, n: 1 }))
    expect(judge.judge(items, stepsAtOnce)).toEqual([])
    expect(judge.judge([...items, { kind: 'k7', n: 'x' }], stepsAtOnce)).toMatchObject([{ field: '4000.n', code: 'schema.type_mismatch' }])
    expect(judge.judge([{ kind: 'k4000' }], stepsAtOnce)).toMatchObject([{ field: '0.kind', code: 'schema.enum_invalid' }])
  })

  it('what takes more than is judged at all is refused, and says so', async () => {
    const pattern = { type: 'array', items: { type: 'string', pattern: '^(?:[a-z0-9]+\\.?){1,60}$' } }
    expect(await compileSchema(pattern).validate(['a'.repeat(mebibyte)])).toEqual([
      { field: '', code: 'schema.too_costly', message: expect.stringContaining('too many steps') },
    ])
    const asked = Type.Array(Type.Refine(Type.Integer(), () => true))
    expect(compileSchema(asked).validate(Array(100_000).fill(1))).toMatchObject([{ code: 'schema.too_costly' }])
  })

  it('steps are counted the same every time, and no more are taken than were given', () => {
    const judge = createJudge(boundedSchema(alternatives))
    expect(() =>
      judge.judge(
        Array.from({ length: 5_000 }, () => ({ a399: 1 })),
        stepsAtOnce,
      ),
    ).toThrow(OutOfSteps)
    let least = 0
    for (let step = 4_096; step >= 1; step /= 2)
      try {
        judge.judge([{ a399: 1 }], least + step)
      } catch {
        least += step
      }
    expect(judge.judge([{ a399: 1 }], least + 1)).toEqual([])
    expect(() => judge.judge([{ a399: 1 }], least)).toThrow(OutOfSteps)
  })
})

describe('the line', () => {
  const line = new JudgeLine()
  const schema = JSON.stringify({ type: 'array', items: { type: 'integer' } })
  afterAll(() => line.endThread())

  it('a broken judgement is the asker’s alone, and the next is judged', async () => {
    const broken = line.judge('broken', '{"type":"strnig"}', '1')
    const fine = line.judge('fine', schema, '[1,"2"]')
    await expect(broken).rejects.toThrow('the judge thread broke')
    expect(await fine).toMatchObject([{ field: '1' }])
  })

  it('a thread that ends takes one judgement with it; the line goes on with another', async () => {
    const lost = line.judge('fine', schema, `[${'1,'.repeat(200_000)}1]`)
    const next = line.judge('fine', schema, '[1]')
    await Promise.all([line.endThread(), expect(lost).rejects.toThrow('the judge thread ended')])
    expect(await next).toEqual([])
  })

  it('too many that wait are refused', async () => {
    const waiting = Array.from({ length: 17 }, () => line.judge('fine', schema, '[1]'))
    expect(() => line.judge('fine', schema, '[1]')).toThrow(expect.objectContaining({ code: 'busy' }))
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 17 }, () => []))
  })
})
