/**
 * What a JSON Schema may contain before it is compiled: it is bounded in size and depth, every keyword in it is one that is judged
 * exactly and has a value of the right kind, and none is without effect.
 */
import { nearestName } from '@work-manager/contract'
import { isObject, type JsonSchema, keywords, oldKeywords, type SchemaObject, subschemas } from './keywords.ts'
import { SchemaRefusedError } from './schema-refused.ts'

const maxBytes = 64 * 1024
const maxDepth = 32
const maxSubschemas = 2_000

const draft = 'https://json-schema.org/draft/2020-12/schema'

/** TypeBox and older drafts write tuples as `items: […]`; 2020-12 calls that `prefixItems`. */
function modernTuple(schema: SchemaObject): void {
  if (!Array.isArray(schema['items'])) return
  const rest = schema['additionalItems']
  if (schema['items'].length > 0) schema['prefixItems'] = schema['items']
  if (rest === undefined) delete schema['items']
  else schema['items'] = rest
  delete schema['additionalItems']
}

function checkDraft(schema: SchemaObject, pointer: string): void {
  const named = schema['$schema']
  if (named === undefined || named === draft || named === `${draft}#`) return
  throw new SchemaRefusedError(`The schema is written for ${JSON.stringify(named)}; schemas are judged as JSON Schema 2020-12`, {
    pointer,
    keyword: '$schema',
    advice: `Write "$schema": "${draft}" or leave it out, after checking what changed since: tuples are prefixItems, dependencies are dependentRequired and dependentSchemas, definitions are $defs.`,
  })
}

function checkKeyword(keyword: string, schema: SchemaObject, pointer: string): void {
  const known = keywords.get(keyword)
  if (!known) {
    const modern = oldKeywords.get(keyword)
    const near = nearestName(keyword, keywords.keys())
    throw new SchemaRefusedError(`${JSON.stringify(keyword)} is no keyword that is judged`, {
      pointer,
      keyword,
      advice: modern
        ? `JSON Schema 2020-12 says it with ${modern}.`
        : `Remove the keyword or correct its spelling${near ? ` (${near}?)` : ''}; only JSON Schema 2020-12 keywords are accepted.`,
    })
  }
  const value = schema[keyword]
  if (!known.takes(value)) {
    const shown = JSON.stringify(value)
    throw new SchemaRefusedError(`${keyword} must be ${known.wants}, not ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}`, {
      pointer: `${pointer}/${keyword}`,
      keyword,
      advice: 'Write it as JSON Schema 2020-12 asks.',
    })
  }
}

/** A keyword that would do nothing is a mistake of the author's: `{ "properties": … }` without a type takes any text. */
function checkEffect(schema: SchemaObject, types: readonly string[] | null, pointer: string): void {
  for (const keyword of Object.keys(schema)) {
    const { types: looksAt, needs } = keywords.get(keyword)!
    if (looksAt && !types?.some((type) => looksAt.includes(type)))
      throw new SchemaRefusedError(`${keyword} has no effect on values of another type than ${looksAt[0]}, and the type is missing`, {
        pointer,
        keyword,
        advice: 'Add the type beside the keyword; without it the keyword is skipped for values of other types.',
      })
    if (needs && !needs.some((name) => name in schema))
      throw new SchemaRefusedError(`${keyword} has no effect without ${needs.join(' or ')}`, {
        pointer,
        keyword,
        advice: `Add ${needs.join(' or ')}, or remove it.`,
      })
  }
}

function copyOf(schema: object): SchemaObject {
  let text: string
  try {
    text = JSON.stringify(schema)
  } catch (cause) {
    throw new SchemaRefusedError(
      'The schema is not JSON',
      { pointer: '', keyword: '', advice: 'Use $defs and $ref for recursion, not an object that contains itself.' },
      { cause },
    )
  }
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes)
    throw new SchemaRefusedError(`The schema has ${bytes} bytes; at most ${maxBytes} are accepted`, {
      pointer: '',
      keyword: '',
      advice: 'Move repeated shapes to $defs.',
    })
  return JSON.parse(text) as SchemaObject
}

/**
 * A plain, bounded copy of a schema, in 2020-12 form. `strict` refuses keywords without effect too.
 * Refuses with: SchemaRefusedError.
 */
export function boundedSchema(given: object, strict = true): JsonSchema {
  const root = copyOf(given)
  const pending: { schema: SchemaObject; pointer: string; depth: number; types: readonly string[] | null }[] = [
    { schema: root, pointer: '', depth: 1, types: null },
  ]
  let seen = 0
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { schema, pointer, depth } = next
    if (depth > maxDepth)
      throw new SchemaRefusedError(`The schema is nested more than ${maxDepth} levels deep`, {
        pointer,
        keyword: '',
        advice: 'Flatten it, or move inner shapes to $defs.',
      })
    if (++seen > maxSubschemas)
      throw new SchemaRefusedError(`The schema has more than ${maxSubschemas} subschemas`, {
        pointer: '',
        keyword: '',
        advice: 'Move repeated shapes to $defs.',
      })
    modernTuple(schema)
    checkDraft(schema, pointer)
    for (const keyword of Object.keys(schema)) checkKeyword(keyword, schema, pointer)
    const own = schema['type'] === undefined ? null : ([schema['type']].flat() as string[])
    const types = own ?? next.types
    if (strict) checkEffect(schema, types, pointer)
    for (const sub of subschemas(schema))
      if (isObject(sub.schema))
        pending.push({
          schema: sub.schema,
          pointer: pointer + sub.pointer,
          depth: depth + 1,
          // What looks at the same value knows the type that stands outside.
          types: keywords.get(sub.keyword)!.inPlace ? types : null,
        })
  }
  return root
}
