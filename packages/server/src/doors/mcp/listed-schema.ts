/**
 * A schema as it is listed for models: small, and in the words that every client's subset knows (one type per node, no empty schemas, no
 * null: leaving out says it). It guides; what counts is the operation's own schema, which judges every call.
 */

export type Schema = Record<string, unknown> & {
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
}

const anything = { anyOf: [{ type: 'object' }, { type: 'string' }, { type: 'number' }, { type: 'boolean' }] }
/** Limits that no model reaches by accident; whoever does is told. */
const unsaid = new Set(['$id', 'title', 'maxItems', 'maxLength', 'minProperties', 'minLength'])

/** True when it says nothing about the value. */
const saysNothing = (schema: Schema): boolean => !['type', 'anyOf', 'enum', 'const', '$ref'].some((word) => word in schema)

/** `words` translates descriptions. */
export function listedSchema(schema: Schema, words: (text: string) => string, place: 'member' | 'entry' = 'member'): Schema {
  const description = typeof schema['description'] === 'string' && schema['description'] !== '' ? words(schema['description']) : undefined
  const told = (listed: Schema): Schema => (description === undefined ? listed : { ...listed, description })
  if (schema.anyOf) {
    const branches = schema.anyOf.filter((branch) => branch['type'] !== 'null').map((branch) => listedSchema(branch, words))
    // A text beside a number is the same number as old clients write it.
    const numbers = branches.filter((branch) => branch['type'] === 'integer' || branch['type'] === 'number')
    const shown =
      numbers.length === 1 && branches.length === 2 && branches.some((branch) => branch['type'] === 'string') ? numbers : branches
    return shown.length === 1 ? told(shown[0]!) : told({ anyOf: shown })
  }
  if (saysNothing(schema)) return told(place === 'entry' ? anything : { type: 'string' })
  const listed: Record<string, unknown> = {}
  for (const [word, value] of Object.entries(schema)) {
    if (unsaid.has(word) || word === 'description' || (word === 'additionalProperties' && value === true)) continue
    if (word === 'required' && (value as readonly string[]).length === 0) continue
    if (word === 'properties') {
      const members = Object.entries(value as Record<string, Schema>)
      if (members.length > 0) listed[word] = Object.fromEntries(members.map(([name, member]) => [name, listedSchema(member, words)]))
    } else if (word === 'items') listed[word] = listedSchema(value as Schema, words, 'entry')
    else listed[word] = value
  }
  if ('enum' in listed && !('type' in listed)) listed['type'] = 'string'
  return told(listed)
}
