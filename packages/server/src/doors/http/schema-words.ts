/** What a JSON Schema of the OpenAPI document asks for, in a few words: for tables that people read. */

export interface SchemaNode {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly SchemaNode[]
  readonly items?: SchemaNode
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly description?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
}

/** `string (uuid)`, `integer 1–100`, `queued | leased`, `list of Item`, `null or string up to 255`. */
export function schemaWords(schema: SchemaNode): string {
  if (schema.$ref !== undefined) return schemaName(schema.$ref)
  if (schema.anyOf) return [...new Set(schema.anyOf.map(schemaWords))].join(' or ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map(String).join(' | ')
  if (schema.type === 'array') return listWords(schema)
  if (schema.type === 'string')
    return `string${schema.format ? ` (${schema.format})` : ''}${range(schema.minLength, schema.maxLength, ' characters')}`
  if (schema.type === 'integer' || schema.type === 'number') return `${schema.type}${range(schema.minimum, schema.maximum)}`
  return schema.type ?? 'any JSON'
}

function listWords({ items, minItems, maxItems }: SchemaNode): string {
  const what = items === undefined || schemaWords(items) === 'any JSON' ? 'list' : `list of ${schemaWords(items)}`
  return what + range(minItems, maxItems, ' entries')
}

/** `#/components/schemas/Item` → `Item`. */
export const schemaName = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1)

function range(from: number | undefined, to: number | undefined, unit = ''): string {
  // One character at least, or none above nothing, goes without saying.
  const lowest = unit !== '' && (from === 1 || from === 0) ? undefined : from
  const highest = to === undefined || to >= Number.MAX_SAFE_INTEGER ? undefined : to
  if (lowest === undefined && highest === undefined) return ''
  if (lowest === undefined) return `, up to ${highest}${unit}`
  if (highest === undefined) return `, ${lowest}${unit} or more`
  return lowest === highest ? `, ${lowest}${unit}` : `, ${lowest} to ${highest}${unit}`
}
