/** A small value that fits a JSON Schema, for trying things out: the first choice, the shortest list, the lowest number. */

interface Schema {
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly minItems?: number
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly minLength?: number
  readonly format?: string
  readonly pattern?: string
}

const formats: Readonly<Record<string, string>> = {
  'date-time': '2026-01-31T12:00:00Z',
  date: '2026-01-31',
  time: '12:00:00Z',
  uri: 'https://example.com/',
  url: 'https://example.com/',
  email: 'someone@example.com',
  uuid: '01890a5d-ac96-774b-bcce-b302099a8057',
  ipv4: '192.0.2.1',
}

/** `n` makes the texts of several samples differ. The sample is a guess: the server has the last word. */
export function sampleOf(schema: Schema, n = 1): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.examples?.length) return schema.examples[0]
  if (schema.default !== undefined) return schema.default
  if (schema.enum?.length) return schema.enum[0]
  const [alternative] = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter((one) => one.type !== 'null')
  if (alternative !== undefined) return sampleOf(alternative, n)
  const type = Array.isArray(schema.type) ? schema.type.find((one: string) => one !== 'null') : schema.type
  switch (type) {
    case 'object':
      return Object.fromEntries((schema.required ?? []).map((name) => [name, sampleOf(schema.properties?.[name] ?? {}, n)]))
    case 'array':
      return Array.from({ length: schema.minItems ?? 1 }, () => sampleOf(schema.items ?? {}, n))
    case 'integer':
    case 'number':
      return schema.minimum ?? (schema.exclusiveMinimum === undefined ? n : schema.exclusiveMinimum + 1)
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return formats[schema.format ?? ''] ?? textOf(schema, n)
  }
}

function textOf({ pattern, minLength = 1 }: Schema, n: number): string {
  // Patterns of the simple kind "so many of a class", such as ^[A-Z]{2}$.
  const [, start, count] = /^\^\[([A-Za-z0-9])[^\]]*\](?:\{(\d+)[^}]*\}|\+)\$$/.exec(pattern ?? '') ?? []
  if (start !== undefined) return start.repeat(Math.max(Number(count ?? 1), minLength))
  return `example ${n}`.padEnd(minLength, '.')
}
