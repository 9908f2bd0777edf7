/** What libraries get wrong: each value here was accepted or refused by mistake before, or would be by the usual shortcuts. */
import Type from 'typebox'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { AnySchema } from './any-schema.ts'
import { linearRegExp } from './linear-regexp.ts'
import { SchemaChangedValue } from './standard-schema.ts'
import { compileSchema, SchemaRefusedError } from './schema-validator.ts'

const errorsOf = async (schema: AnySchema, value: unknown) => [...(await compileSchema(schema).validate(value))]
const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })
function refusalOf(schema: unknown): SchemaRefusedError {
  try {
    compileSchema(schema as AnySchema)
  } catch (error) {
    if (error instanceof SchemaRefusedError) return error
    throw error
  }
  throw new Error('the schema was accepted')
}

describe('values', () => {
  const hundredth = { type: 'number', multipleOf: 0.01 }
  const cases: [schema: object, value: unknown, fits: boolean][] = [
    [hundredth, 19.99, true],
    [hundredth, 1e15, true],
    [hundredth, 19.999, false],
    [hundredth, 19.990000000000002, false],
    [{ type: 'number', multipleOf: 1e-7 }, 3e-7, true],
    [{ type: 'number', multipleOf: 0.3 }, 0.9, true],
    [{ type: 'number', multipleOf: 1e-300 }, 1e300, true],
    [{ type: 'integer', multipleOf: 3 }, 9_007_199_254_740_991, false],
    [object({}, { required: ['toString'] }), {}, false],
    [object({}, { required: ['constructor'] }), JSON.parse('{"constructor":1}'), true],
    [object({ constructor: { type: 'string' } }), {}, true],
    [object({ hasOwnProperty: { type: 'string' } }), JSON.parse('{"hasOwnProperty":1}'), false],
    [object({}, { dependentRequired: { valueOf: ['a'] } }), {}, true],
    [object({}, { additionalProperties: false }), JSON.parse('{"toString":1}'), false],
    [{ type: 'array', uniqueItems: true, items: { type: 'string' } }, ['__proto__', '__proto__'], false],
    [
      { type: 'array', uniqueItems: true },
      [
        { a: 1, b: [2] },
        { b: [2], a: 1 },
      ],
      false,
    ],
    [{ type: 'array', uniqueItems: true }, [1, true, '1', 'true', null, 'null', [], {}, [[]]], true],
    [{ enum: [{ a: [1, { b: 2 }] }] }, { a: [1, { b: 2 }] }, true],
    [{ const: 0 }, -0, true],
    [{ const: '1' }, 1, false],
    [{ type: 'string', maxLength: 2 }, '👍👍', true],
    [{ type: 'array', contains: { type: 'integer' }, unevaluatedItems: { type: 'string' } }, [1, 'a', 2], true],
    [{ type: 'array', contains: { type: 'integer' }, unevaluatedItems: { type: 'string' } }, [1, null], false],
    [{ type: 'object', anyOf: [object({ a: {} }), object({ b: {} })], unevaluatedProperties: false }, { a: 1, b: 2 }, true],
    [
      {
        type: 'object',
        anyOf: [object({ a: {} }, { required: ['a'] }), object({ b: {} }, { required: ['b'] })],
        unevaluatedProperties: false,
      },
      { b: 2 },
      true,
    ],
    [
      { type: 'object', if: object({ a: { const: 1 } }, { required: ['a'] }), else: object({ b: {} }), unevaluatedProperties: false },
      { a: 1, b: 2 },
      false,
    ],
    [
      { type: 'object', if: object({ a: { const: 1 } }, { required: ['a'] }), else: object({ b: {} }), unevaluatedProperties: false },
      { b: 2 },
      true,
    ],
    [{ type: 'object', not: { not: object({ a: {} }) }, unevaluatedProperties: false }, { a: 1 }, false],
    [{ type: 'string', format: 'date-time' }, '2026-01-31T12:00:00+0100', false],
    [{ type: 'string', format: 'date-time' }, '2026-01-31T12:00+01:00', false],
    [{ type: 'string', format: 'date-time' }, '2016-12-31T23:59:60Z', true],
    [{ type: 'string', format: 'date' }, '2026-02-29', false],
    [{ type: 'string', format: 'hostname' }, 'a..b', false],
    [{ type: 'string', format: 'hostname' }, '-a.example', false],
    [{ type: 'string', format: 'uri' }, 'http://example.com:abc/', false],
    [{ type: 'string', format: 'uri' }, 'http://example.com/a b', false],
    [{ type: 'string', format: 'uri' }, `https://example.com/${'a'.repeat(70_000)}`, true],
    [{ type: 'number', format: 'int32' }, 2_147_483_648, false],
  ]
  it.each(cases.map(([schema, value, fits]) => [JSON.stringify({ schema, value }).slice(0, 200), schema, value, fits] as const))(
    '%s',
    async (_, schema, value, fits) => {
      expect((await errorsOf(schema, value)).length === 0).toBe(fits)
    },
  )

  it('a recursive $dynamicRef is followed to the outermost schema, and no depth of it is an internal error', async () => {
    const tree = {
      $id: 'https://example.com/tree',
      $dynamicAnchor: 'node',
      ...object({ children: { type: 'array', items: { $dynamicRef: '#node' } } }),
    }
    const strict = {
      $id: 'https://example.com/strict',
      $dynamicAnchor: 'node',
      $ref: 'tree',
      type: 'object',
      unevaluatedProperties: false,
      $defs: { tree },
    }
    expect(await errorsOf(strict, { children: [{ children: [] }] })).toEqual([])
    expect(await errorsOf(strict, { children: [{ daat: 1 }] })).toMatchObject([{ field: 'children.0.daat' }])
    let deep: object = {}
    for (let i = 0; i < 60; i++) deep = { children: [deep] }
    expect(await errorsOf(strict, deep)).toEqual([])
    // Deeper than any body can be.
    for (let i = 0; i < 1_000; i++) deep = { children: [deep] }
    expect(await compileSchema(strict).validate(deep)).toMatchObject([{ code: 'schema.too_costly' }])
  })

  it('members that are undefined are not there, as in the JSON that is made of them', async () => {
    const schema = object({ a: { type: 'string' } }, { required: ['a'], additionalProperties: false, maxProperties: 1 })
    expect(await errorsOf(schema, { a: 'x', b: undefined })).toEqual([])
    expect((await errorsOf(schema, { a: undefined })).map((one) => one.code)).toEqual(['schema.required'])
  })
})

describe('regular expressions mean what they mean in ECMAScript', () => {
  const texts = [
    '',
    'a',
    'A',
    'é',
    ' ',
    '\u00a0',
    '\n',
    'a\n',
    '\r',
    '\u2028',
    '٣',
    '9',
    '_',
    '-',
    '🐲',
    '🐲🐲',
    'a-b',
    'ab',
    '\ufeff',
    '{',
    'λ',
  ]
  const patterns = [
    '^\\s$',
    '^\\S$',
    '^.$',
    'a$',
    '^\\d$',
    '^\\D$',
    '^\\w$',
    '^\\W$',
    '\\b',
    '\\B',
    '^[^\\d]$',
    '^[\\s\\d]$',
    '^[\\S]$',
    '^[]$',
    '^[^]$',
    '^🐲*$',
    '^\\p{L}$',
    '^\\P{L}$',
    '^\\p{Script=Greek}$',
    '^\\p{Letter}$',
    '^\\p{Decimal_Number}$',
    '^[\\p{Lu}-]$',
    '^a{2,}?|b+$',
    '^(?:a|(b))-?',
    '^\\u{1F432}$',
    '^\\x41$',
    '^\\cJ$',
    '^a\\-b$'.replace('\\-', '[-]'),
    '^\\/?$',
    '^[\\b]$',
    '^\\{$',
    '\\.',
  ]
  it.each(patterns)('%s', (pattern) => {
    const native = new RegExp(pattern, 'u')
    const linear = linearRegExp(pattern)
    expect(texts.map((text) => linear.test(text))).toEqual(texts.map((text) => native.test(text)))
  })

  it('escapes that only the older mode knows are kept; names of properties that are unknown are not', () => {
    expect(linearRegExp('^a\\-\\@$').test('a-@')).toBe(true)
    expect(() => linearRegExp('\\p{Nothing}')).toThrow()
    expect(() => linearRegExp('(')).toThrow()
  })
})

describe('what cannot be judged exactly is refused at definition, by name', () => {
  const refusals: [schema: unknown, keyword: string, text: RegExp][] = [
    [
      { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' },
      '$schema',
      /draft-07.*judged as JSON Schema 2020-12.*prefixItems/,
    ],
    [{ type: 'object', dependencies: { a: ['b'] } }, 'dependencies', /dependentRequired/],
    [{ type: 'object', nullable: true }, 'nullable', /\["…", "null"\]/],
    [{ type: 'object', $recursiveRef: '#' }, '$recursiveRef', /\$dynamicRef/],
    [{ type: 'object', $vocabulary: {} }, '$vocabulary', /no keyword that is judged/],
    [{ type: 'string', format: 'iso-date-time' }, 'format', /judged exactly/],
    [{ type: 'object', properties: { a: 1 } }, 'properties', /members are schemas/],
    [{ type: 'number', multipleOf: 0 }, 'multipleOf', /above 0/],
    [{ type: 'number', minimum: Number.POSITIVE_INFINITY }, 'minimum', /must be a number, not null/],
    [{ type: 'object', if: { type: 'object' } }, 'if', /no effect without then or else/],
    [{ $ref: 'https://json-schema.org/draft/2020-12/schema' }, '$ref', /outside the schema/],
    [{ $ref: '#/$defs/absent' }, '$ref', /no schema/],
    [{ $defs: { a: { $anchor: 'x' }, b: { $anchor: 'x' } } }, '$anchor', /address/],
    [{ type: 'string', pattern: '(?i:a)' }, 'pattern', /modifiers/],
    [{ type: 'string', allOf: Array.from({ length: 30 }, () => ({ pattern: '(ab|cd){400}' })) }, 'pattern', /unfold into more than/],
  ]
  it.each(refusals.map((one) => [JSON.stringify(one[0]).slice(0, 120), ...one] as const))('%s', (_, schema, keyword, text) => {
    expect(refusalOf(schema)).toMatchObject({ keyword })
    expect(refusalOf(schema).message).toMatch(text)
  })
})

describe('TypeBox', () => {
  it('a refinement is asked, where it stands, and its words are told', async () => {
    const even = Type.Refine(
      Type.Integer(),
      (n) => n % 2 === 0,
      () => 'must be even',
    )
    const schema = Type.Object({ list: Type.Array(even), or: Type.Optional(Type.Union([even, Type.Null()])) })
    expect(await errorsOf(schema, { list: [2, 4], or: null })).toEqual([])
    expect(await errorsOf(schema, { list: [2, 3], or: 5 })).toMatchObject([
      { field: 'list.1', code: 'schema.refine', message: "Field '1': must be even" },
      { field: 'or' },
    ])
    // Not taken for the same schema without it, compiled before.
    expect(await errorsOf(Type.Object({ list: Type.Array(Type.Integer()) }), { list: [3] })).toEqual([])
    expect(
      await errorsOf(
        Type.Refine(Type.Object({ a: Type.Integer() }), ({ a }) => a > 1),
        { a: 1 },
      ),
    ).toHaveLength(1)
  })

  it('a codec is refused', () => {
    const codec = Type.Codec(Type.String())
      .Decode((text) => new Date(text))
      .Encode((date) => date.toISOString())
    expect(refusalOf(Type.Object({ at: codec }))).toMatchObject({ pointer: '/properties/at', keyword: '~codec' })
  })
})

describe('schemas that would change values are refused, since plan is given what was sent', () => {
  const changing: [name: string, schema: z.ZodType, pointer: string][] = [
    ['a transform', z.object({ n: z.string().transform(Number) }), '/n'],
    ['a default', z.object({ a: z.object({ n: z.number().default(3) }) }), '/a/n'],
    ['a coercion', z.object({ n: z.coerce.number() }), '/n'],
    ['a catch', z.array(z.string().catch('x')), '/element'],
    ['trim', z.object({ n: z.string().trim() }), '/n'],
    ['preprocess', z.preprocess((v) => v, z.string()), '/in'],
    ['a pipe', z.object({ n: z.stringbool() }), '/n'],
    ['inside a union', z.union([z.string(), z.string().transform(Number)]), '/options/1'],
    ['behind lazy', z.lazy(() => z.number().default(1)), ''],
  ]
  it.each(changing)('Zod: %s', (_, schema, pointer) => {
    const error = refusalOf(schema)
    expect(error.pointer.startsWith(pointer)).toBe(true)
    expect(error.message).toContain('Values are judged and never changed')
  })

  it('Zod: what changes nothing is taken', async () => {
    const schema = z.object({
      a: z.string().min(1).optional(),
      b: z.enum(['x']).nullable(),
      c: z.record(z.string(), z.number()).refine((v) => v !== null),
    })
    expect(await errorsOf(schema, { b: null, c: { k: 1 }, unknown: 1 })).toEqual([])
  })

  it('any library: an outcome that is not what was sent is an error of the type', async () => {
    const changed = (make: (value: unknown) => unknown): AnySchema => ({
      '~standard': { version: 1, vendor: 'own', validate: (value: unknown) => ({ value: make(value) }) },
    })
    await expect(
      errorsOf(
        changed(() => ({ a: 2 })),
        { a: 1 },
      ),
    ).rejects.toThrow(SchemaChangedValue)
    await expect(
      errorsOf(
        changed((v) => ({ ...(v as object), added: 1 })),
        { a: 1 },
      ),
    ).rejects.toThrow('own schema changed the value')
    expect(
      await errorsOf(
        changed(() => ({ a: 1 })),
        { a: 1, unnamed: 2 },
      ),
    ).toEqual([])
  })
})
