/** Every keyword that is judged: what its value must be, which values it looks at, where schemas stand in it. What is not here is refused. */
import { isFormat } from './formats.ts'

export type JsonSchema = { readonly [keyword: string]: unknown }
export type SchemaObject = Record<string, unknown>

export const isObject = (value: unknown): value is SchemaObject => typeof value === 'object' && value !== null && !Array.isArray(value)

interface Keyword {
  /** What the value must be, as the end of "must be …". */
  readonly wants: string
  takes(value: unknown): boolean
  /** The types whose values it looks at; absent: all. */
  readonly types?: readonly string[]
  /** Where the schemas in it stand. */
  readonly schemas?: 'one' | 'list' | 'map'
  /** Its schemas look at the same value as the schema itself. */
  readonly inPlace?: boolean
  /** Without this other keyword it means nothing. */
  readonly needs?: readonly string[]
}

const typeNames = new Set(['null', 'boolean', 'object', 'array', 'number', 'string', 'integer'])
const isSchema = (value: unknown): boolean => typeof value === 'boolean' || isObject(value)
const isText = (value: unknown): boolean => typeof value === 'string'
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText) && new Set(value).size === value.length
const isType = (value: unknown): boolean => typeNames.has(value as string)

const anything: Keyword = { wants: 'anything', takes: () => true }
const text: Keyword = { wants: 'a text', takes: isText }
const flag: Keyword = { wants: 'true or false', takes: (value) => typeof value === 'boolean' }
const limit = (types: readonly string[], more: Partial<Keyword> = {}): Keyword => ({
  wants: 'a whole number from 0',
  takes: (value) => Number.isInteger(value) && (value as number) >= 0,
  types,
  ...more,
})
const bound: Keyword = { wants: 'a number', takes: (value) => typeof value === 'number', types: ['number', 'integer'] }
const one = (types: readonly string[] | undefined, more: Partial<Keyword> = {}): Keyword => ({
  wants: 'a schema: an object, true or false',
  takes: isSchema,
  schemas: 'one',
  ...(types ? { types } : {}),
  ...more,
})
const list = (more: Partial<Keyword> = {}): Keyword => ({
  wants: 'a list of at least one schema',
  takes: (value) => Array.isArray(value) && value.length > 0 && value.every(isSchema),
  schemas: 'list',
  ...more,
})
const map = (more: Partial<Keyword> = {}): Keyword => ({
  wants: 'an object whose members are schemas',
  takes: (value) => isObject(value) && Object.values(value).every(isSchema),
  schemas: 'map',
  ...more,
})
const reference: Keyword = { wants: 'a reference such as "#/$defs/Name"', takes: isText }
const anchor: Keyword = {
  wants: 'a name of letters, digits, - _ and .',
  takes: (value) => isText(value) && /^[A-Za-z_][-A-Za-z0-9._]*$/.test(value as string),
}

export const keywords: ReadonlyMap<string, Keyword> = new Map<string, Keyword>(
  Object.entries({
    $id: { wants: 'an address without a fragment', takes: (value) => isText(value) && !/#./.test(value as string) },
    $schema: text,
    $anchor: anchor,
    $dynamicAnchor: anchor,
    $ref: reference,
    $dynamicRef: reference,
    $defs: map(),
    definitions: map(),
    $comment: text,
    title: text,
    description: text,
    default: anything,
    examples: { wants: 'a list', takes: Array.isArray },
    deprecated: flag,
    readOnly: flag,
    writeOnly: flag,
    contentEncoding: text,
    contentMediaType: text,
    contentSchema: { wants: 'a schema: an object, true or false', takes: isSchema },
    type: {
      wants: 'one or more of null, boolean, object, array, number, string, integer',
      takes: (value) => isType(value) || (isTexts(value) && (value as string[]).length > 0 && (value as string[]).every(isType)),
    },
    const: anything,
    enum: { wants: 'a list', takes: Array.isArray },
    multipleOf: { ...bound, wants: 'a number above 0', takes: (value) => typeof value === 'number' && value > 0 },
    minimum: bound,
    maximum: bound,
    exclusiveMinimum: bound,
    exclusiveMaximum: bound,
    minLength: limit(['string']),
    maxLength: limit(['string']),
    pattern: { ...text, wants: 'a regular expression', types: ['string'] },
    format: {
      wants: 'a format that is judged exactly, such as date-time, uri, email, uuid',
      takes: (value) => isFormat(value),
      types: ['string', 'number', 'integer'],
    },
    minItems: limit(['array']),
    maxItems: limit(['array']),
    uniqueItems: { ...flag, types: ['array'] },
    prefixItems: list({ types: ['array'] }),
    items: one(['array']),
    contains: one(['array']),
    minContains: limit(['array'], { needs: ['contains'] }),
    maxContains: limit(['array'], { needs: ['contains'] }),
    unevaluatedItems: one(['array']),
    minProperties: limit(['object']),
    maxProperties: limit(['object']),
    required: { wants: 'a list of different texts', takes: isTexts, types: ['object'] },
    dependentRequired: {
      wants: 'an object whose members are lists of different texts',
      takes: (value) => isObject(value) && Object.values(value).every(isTexts),
      types: ['object'],
    },
    dependentSchemas: map({ types: ['object'], inPlace: true }),
    propertyNames: one(['object']),
    properties: map({ types: ['object'] }),
    patternProperties: map({ types: ['object'] }),
    additionalProperties: one(['object']),
    unevaluatedProperties: one(['object']),
    allOf: list({ inPlace: true }),
    anyOf: list({ inPlace: true }),
    oneOf: list({ inPlace: true }),
    not: one(undefined, { inPlace: true }),
    if: one(undefined, { inPlace: true, needs: ['then', 'else'] }),
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: one(undefined, { inPlace: true, needs: ['if'] }),
    else: one(undefined, { inPlace: true, needs: ['if'] }),
    discriminator: {
      wants: '{ "propertyName": "…" } beside oneOf or anyOf',
      takes: (value) => isObject(value) && isText(value['propertyName']) && Object.keys(value).length === 1,
      types: ['object'],
      needs: ['oneOf', 'anyOf'],
    },
  } satisfies Record<string, Keyword>),
)

/** Keywords of older drafts, and what says the same now. */
export const oldKeywords: ReadonlyMap<string, string> = new Map([
  ['dependencies', 'dependentRequired or dependentSchemas'],
  ['additionalItems', 'prefixItems with items'],
  ['id', '$id'],
  ['$recursiveRef', '$dynamicRef'],
  ['$recursiveAnchor', '$dynamicAnchor'],
  ['nullable', '"type": ["…", "null"]'],
])

export interface SubSchema {
  readonly keyword: string
  readonly pointer: string
  readonly schema: SchemaObject | boolean
}

const escapePointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

/** The schemas that stand in a schema, one level down. */
export function* subschemas(schema: SchemaObject): Generator<SubSchema> {
  for (const [keyword, value] of Object.entries(schema)) {
    const kind = keywords.get(keyword)?.schemas
    if (kind === 'one') yield { keyword, pointer: `/${keyword}`, schema: value as SchemaObject | boolean }
    else if (kind === 'list')
      for (const [i, one] of (value as (SchemaObject | boolean)[]).entries()) yield { keyword, pointer: `/${keyword}/${i}`, schema: one }
    else if (kind === 'map')
      for (const [name, one] of Object.entries(value as Record<string, SchemaObject | boolean>))
        yield { keyword, pointer: `/${keyword}/${escapePointer(name)}`, schema: one }
  }
}
