import Type from 'typebox'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { compileSchema, SchemaRefusedError } from './schema-validator.ts'
import type { AnySchema } from './any-schema.ts'

const errorsOf = async (schema: AnySchema, value: unknown) => [...(await compileSchema(schema).validate(value))]
const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })

describe('the ten codes of the predecessor keep their words', () => {
  const cases: [name: string, schema: object, value: unknown, code: string, message: string][] = [
    ['required', object({ x: {} }, { required: ['x'] }), {}, 'schema.required', "Field 'x' is required"],
    ['type', object({ x: { type: ['string', 'null'] } }), { x: 1 }, 'schema.type_mismatch', "Field 'x' must be of type: string|null"],
    ['enum', object({ x: { enum: ['a', 'b'] } }), { x: 'zzzz' }, 'schema.enum_invalid', "Field 'x' must be one of: a, b"],
    [
      'minLength',
      object({ x: { type: 'string', minLength: 2 } }),
      { x: 'a' },
      'schema.min_length',
      "Field 'x' must be at least 2 characters",
    ],
    [
      'maxLength',
      object({ x: { type: 'string', maxLength: 1 } }),
      { x: '👍👍' },
      'schema.max_length',
      "Field 'x' must be no more than 1 characters",
    ],
    [
      'pattern',
      object({ x: { type: 'string', pattern: '^a/b$' } }),
      { x: 'c' },
      'schema.pattern',
      "Field 'x' does not match required pattern ^a/b$",
    ],
    ['minimum', object({ x: { type: 'number', minimum: 3 } }), { x: 2 }, 'schema.minimum', "Field 'x' must be at least 3"],
    ['maximum', object({ x: { type: 'number', maximum: 3 } }), { x: 4 }, 'schema.maximum', "Field 'x' must be no more than 3"],
    ['minItems', object({ x: { type: 'array', minItems: 1 } }), { x: [] }, 'schema.min_items', "Field 'x' must contain at least 1 items"],
    [
      'maxItems',
      object({ x: { type: 'array', maxItems: 1 } }),
      { x: [1, 2] },
      'schema.max_items',
      "Field 'x' must contain no more than 1 items",
    ],
  ]
  it.each(cases)('%s', async (_, schema, value, code, message) => {
    expect(await errorsOf(schema, value)).toEqual([{ field: 'x', code, message }])
  })
})

describe('field errors', () => {
  it('name the full path, with array indexes', async () => {
    const schema = object({ tags: { type: 'array', items: object({ name: { type: 'string' } }, { required: ['name'] }) } })
    expect((await errorsOf(schema, { tags: [{ name: 'ok' }, {}, { name: 3 }] })).map((e) => e.field)).toEqual([
      'tags.1.name',
      'tags.2.name',
    ])
  })

  it('an unknown member is named with the nearest known one', async () => {
    const schema = object({ payload: {} }, { additionalProperties: false })
    expect(await errorsOf(schema, { payloda: 1 })).toEqual([
      { field: 'payloda', code: 'schema.additional_properties', message: "Field 'payloda' is not accepted; did you mean 'payload'?" },
    ])
    expect((await errorsOf(schema, { zzz: 1 }))[0]?.message).toContain('accepted here: payload')
  })

  it('JSON inside a string is recognised', async () => {
    const schema = object({ data: { type: 'object' } })
    expect((await errorsOf(schema, { data: '{"a":1}' }))[0]?.message).toBe(
      "Field 'data' must be of type: object; this looks like JSON inside a string: send the object itself",
    )
    expect((await errorsOf(schema, { data: '{not json' }))[0]?.message).not.toContain('JSON inside a string')
    expect((await errorsOf(schema, '{"data":{}}'))[0]?.message).toContain('JSON inside a string')
    expect((await errorsOf(z.object({ data: z.object({}) }), { data: '{"a":1}' }))[0]?.message).toContain('JSON inside a string')
  })

  it('a union of types or values is said once, not branch by branch', async () => {
    const nullable = Type.Object({
      x: Type.Union([Type.String(), Type.Null()]),
      y: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b')])),
    })
    expect(await errorsOf(nullable, { x: 4, y: 'q' })).toEqual([
      { field: 'x', code: 'schema.type_mismatch', message: "Field 'x' must be of type: string|null" },
      { field: 'y', code: 'schema.enum_invalid', message: "Field 'y' must be one of: a, b" },
    ])
  })

  it('a union of objects reports the branch that was meant', async () => {
    const kind = (name: string, member: string) => Type.Object({ kind: Type.Literal(name), [member]: Type.Integer() })
    const schema = Type.Object({ shape: Type.Union([kind('circle', 'radius'), kind('square', 'side')]) })
    expect(await errorsOf(schema, { shape: { kind: 'circle', radius: 'x' } })).toEqual([
      { field: 'shape.radius', code: 'schema.type_mismatch', message: "Field 'radius' must be of type: integer" },
    ])
    expect(await errorsOf(schema, { shape: { kind: 'triangle' } })).toEqual([
      { field: 'shape.kind', code: 'schema.enum_invalid', message: "Field 'kind' must be one of: circle, square" },
    ])
    expect(await errorsOf(schema, { shape: 3 })).toMatchObject([
      { field: 'shape', code: 'schema.type_mismatch', message: "Field 'shape' must be of type: object" },
    ])
    expect(await errorsOf(Type.Object({ x: Type.Union([Type.Integer({ minimum: 5 }), Type.Null()]) }), { x: 3 })).toEqual([
      { field: 'x', code: 'schema.minimum', message: "Field 'x' must be at least 5" },
    ])
  })

  const others: [schema: object, value: unknown, code: string][] = [
    [object({ x: { const: 1 } }), { x: 2 }, 'schema.const'],
    [object({ x: { type: 'string', format: 'date-time' } }), { x: 'soon' }, 'schema.format'],
    [object({ x: { type: 'array', items: { type: 'integer' }, uniqueItems: true } }), { x: [1, 1] }, 'schema.unique_items'],
    [object({ x: { oneOf: [{ type: 'number', minimum: 1 }, { type: 'integer' }] } }), { x: 2 }, 'schema.one_of'],
    [object({ x: { type: 'number', exclusiveMinimum: 1 } }), { x: 1 }, 'schema.exclusive_minimum'],
    [object({ x: { type: 'number', multipleOf: 5 } }), { x: 1 }, 'schema.multiple_of'],
    [object({ x: { type: 'object', minProperties: 1 } }), { x: {} }, 'schema.min_properties'],
    [object({ x: { not: { type: 'string' } } }), { x: '' }, 'schema.not'],
    [object({ x: { type: 'array', contains: { const: 1 } } }), { x: [2] }, 'schema.contains'],
    [object({ x: { type: 'object', dependentRequired: { a: ['b'] } } }), { x: { a: 1 } }, 'schema.dependent_required'],
    [object({ x: false }), { x: 1 }, 'schema.false_schema'],
  ]
  it.each(others)('%j refuses %j with %s', async (schema, value, code) => {
    const errors = await errorsOf(schema, value)
    expect(errors.map((e) => e.code)).toContain(code)
    expect(errors.every((e) => e.message.length > 10 && e.field.startsWith('x'))).toBe(true)
  })

  it('a document with very many mistakes gives a bounded list', async () => {
    const schema = object({ x: { type: 'array', items: { type: 'integer' } } })
    expect(await errorsOf(schema, { x: Array(300).fill('no') })).toHaveLength(50)
    expect(await errorsOf(schema, { x: Array(300_000).fill('no') })).toHaveLength(50)
  })

  it('values are judged as they are: nothing is coerced, filled in or removed', async () => {
    const schema = object({ n: { type: 'integer' }, d: { type: 'string', default: 'filled' } }, { required: ['d'] })
    const value = { n: '42', extra: 1 }
    expect((await errorsOf(schema, value)).map((e) => e.code)).toEqual(['schema.required', 'schema.type_mismatch'])
    expect(value).toEqual({ n: '42', extra: 1 })
  })
})

describe('patterns', () => {
  it('two patterns in one schema are told apart, and bad data is refused', async () => {
    const schema = object({ a: { type: 'string', pattern: '^a+$' }, b: { type: 'string', pattern: '^b+$' } })
    expect(await errorsOf(schema, { a: 'aa', b: 'bb' })).toEqual([])
    expect((await errorsOf(schema, { a: 'bb', b: 'aa' })).map((e) => e.field)).toEqual(['a', 'b'])
    expect(await errorsOf(schema, { a: 'aa', b: 'aa' })).toHaveLength(1)
  })

  it('a second schema with another pattern is not confused with the first', async () => {
    expect(await errorsOf({ type: 'string', pattern: '^x$' }, 'x')).toEqual([])
    expect(await errorsOf({ type: 'string', pattern: '^y$' }, 'x')).toHaveLength(1)
  })

  it('patternProperties are judged too', async () => {
    const schema = { type: 'object', patternProperties: { '^n_': { type: 'integer' } }, additionalProperties: false }
    expect(await errorsOf(schema, { n_a: 1 })).toEqual([])
    expect(await errorsOf(schema, { n_a: 'x', m_a: 1 })).toHaveLength(2)
  })

  it.each(['^(a+)+$', '(.*a){20}$', '^(a|a)*$'])('%s ends on a long hostile text', async (pattern) => {
    expect(await errorsOf({ type: 'string', pattern }, `${'a'.repeat(20_000)}!`)).toHaveLength(1)
  })

  it('a pattern that unfolds into a huge program is refused', () => {
    expect(refusalOf({ type: 'string', pattern: '(.*a){900}$' })).toMatchObject({ keyword: 'pattern' })
  })

  it('the format url is judged in linear time too', async () => {
    const schema = { type: 'string', format: 'url' }
    expect(await errorsOf(schema, 'https://example.com/a?b=c')).toEqual([])
    for (const bad of ['example.com', 'javascript:alert(1)', 'http://[', `${'x://a@'.repeat(20_000)}!`])
      expect(await errorsOf(schema, bad)).toHaveLength(1)
  })

  it('a discriminator names the kinds', async () => {
    const kind = (name: string) => ({ type: 'object', properties: { kind: { const: name }, n: { type: 'integer' } }, required: ['kind'] })
    const schema = { type: 'object', discriminator: { propertyName: 'kind' }, required: ['kind'], oneOf: [kind('a'), kind('b')] }
    expect(await errorsOf(schema, { kind: 'a', n: 'x' })).toMatchObject([{ field: 'n', code: 'schema.type_mismatch' }])
    expect(await errorsOf(schema, { kind: 'c' })).toMatchObject([{ code: 'schema.discriminator' }])
  })

  it.each(['(?=a)b', '(?<=a)b', '(a)\\1'])('%s is refused with its place and advice', (pattern) => {
    const error = refusalOf({ type: 'object', properties: { x: { type: 'string', pattern } } })
    expect(error).toMatchObject({ pointer: '/properties/x', keyword: 'pattern' })
    expect(error.advice).toContain('without lookahead')
  })
})

function refusalOf(schema: unknown): SchemaRefusedError {
  try {
    compileSchema(schema as AnySchema)
  } catch (error) {
    if (error instanceof SchemaRefusedError) return error
    throw error
  }
  throw new Error('the schema was accepted')
}

describe('schemas that are refused', () => {
  it('a remote $ref is refused and never fetched', () => {
    expect(refusalOf(object({ x: { $ref: 'https://example.com/schema.json' } }))).toMatchObject({
      pointer: '/properties/x',
      keyword: '$ref',
    })
    expect(refusalOf({ $ref: 'file:///etc/passwd' })).toMatchObject({ keyword: '$ref' })
  })

  it('an unknown keyword is named', () => {
    expect(refusalOf({ type: 'string', minLenght: 2 })).toMatchObject({ keyword: 'minLenght' })
  })

  it('a keyword that its missing type would disable is refused', () => {
    expect(refusalOf({ properties: { x: {} } }).advice).toContain('Add the type')
  })

  it('an unknown format, a wrong keyword value and no schema at all are refused', () => {
    expect(refusalOf({ type: 'string', format: 'postcode' }).message).toContain('postcode')
    expect(refusalOf({ type: 'strnig' })).toMatchObject({ keyword: 'type', pointer: '/type' })
    expect(refusalOf(null).message).toContain('must be an object')
  })

  it('size, depth and cyclic objects are bounded', () => {
    expect(refusalOf({ enum: ['x'.repeat(70_000)] }).message).toContain('65536')
    let deep: object = { type: 'string' }
    for (let i = 0; i < 40; i++) deep = { type: 'array', items: deep }
    expect(refusalOf(deep).message).toContain('32 levels')
    const cyclic: Record<string, unknown> = { type: 'object' }
    cyclic['properties'] = { self: cyclic }
    expect(refusalOf(cyclic).message).toContain('not JSON')
  })

  it('a doubling chain and a reference to itself are refused', () => {
    const $defs: Record<string, object> = { d0: { type: 'string' } }
    for (let i = 1; i < 20; i++) $defs[`d${i}`] = { allOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] }
    expect(refusalOf({ $defs, $ref: '#/$defs/d19' }).message).toContain('more than 5000 subschemas')
    expect(refusalOf({ $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }).message).toContain('refers to itself')
  })
})

describe('schema languages', () => {
  it('a recursive schema with local references works', async () => {
    const tree = object({ children: { type: 'array', items: { $ref: '#' } } }, { additionalProperties: false })
    expect(await errorsOf(tree, { children: [{ children: [] }] })).toEqual([])
    expect((await errorsOf(tree, { children: [{ childern: [] }] }))[0]?.message).toContain("did you mean 'children'")
  })

  it('two schemas may use the same $id', async () => {
    expect(await errorsOf({ $id: 'thing', type: 'string' }, 1)).toHaveLength(1)
    expect(await errorsOf({ $id: 'thing', type: 'number' }, 1)).toEqual([])
  })

  it('a TypeBox tuple becomes prefixItems', async () => {
    const schema = Type.Tuple([Type.String(), Type.Integer()])
    expect(compileSchema(schema).jsonSchema).toMatchObject({ prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false })
    expect(await errorsOf(schema, ['a', 1])).toEqual([])
    expect(await errorsOf(schema, ['a', 'b'])).toHaveLength(1)
  })

  it('the shown schema is a plain copy', () => {
    const schema = Type.Object({ a: Type.Optional(Type.String()) })
    const shown = compileSchema(schema).jsonSchema
    expect(shown).toEqual({ type: 'object', properties: { a: { type: 'string' } } })
    expect(shown).not.toBe(schema)
  })

  it('Zod validates with its own rules and describes itself', async () => {
    const schema = z.object({ name: z.string().min(2), tags: z.array(z.string()).optional() })
    expect(compileSchema(schema).jsonSchema).toMatchObject({ type: 'object', required: ['name'] })
    expect(await errorsOf(schema, { name: 'ok' })).toEqual([])
    const errors = await errorsOf(schema, { tags: ['a', 1] })
    expect(errors).toContainEqual({ field: 'name', code: 'schema.required', message: "Field 'name' is required" })
    expect(errors).toContainEqual(expect.objectContaining({ field: 'tags.1', code: 'schema.invalid_type' }))
  })

  it('an asynchronous Standard Schema is awaited', async () => {
    const schema = z.string().refine(async (s) => s === 'yes', 'say yes')
    expect(await errorsOf(schema, 'yes')).toEqual([])
    expect((await errorsOf(schema, 'no'))[0]?.message).toContain('say yes')
  })
})
