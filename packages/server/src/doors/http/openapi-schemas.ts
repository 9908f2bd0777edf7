/** Schemas of operations → components: a schema with a title is written once and referred to wherever it appears. */

export interface JsonSchema {
  readonly type?: unknown
  readonly title?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly [keyword: string]: unknown
}

export class SchemaComponents {
  private readonly byTitle = new Map<string, { readonly text: string; readonly schema: unknown }>()

  /** The schema as plain JSON, with its titled parts (not itself) replaced by references. */
  plain(schema: object): JsonSchema {
    const copy = JSON.parse(JSON.stringify(schema)) as JsonSchema
    return this.hoistMembers(copy) as JsonSchema
  }

  /** A reference when the schema has a title, otherwise the schema itself. */
  reference(schema: object): unknown {
    return this.hoist(JSON.parse(JSON.stringify(schema)))
  }

  /** All titled schemas, by name. */
  schemas(): Record<string, unknown> {
    return Object.fromEntries([...this.byTitle].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([title, { schema }]) => [title, schema]))
  }

  private hoist(node: unknown): unknown {
    const schema = this.hoistMembers(node)
    const title = isTitled(schema) ? schema.title : null
    if (title === null) return schema
    const text = JSON.stringify(schema)
    const known = this.byTitle.get(title)
    if (known === undefined) this.byTitle.set(title, { text, schema })
    // Two schemas may share a title; the second stays where it is used.
    else if (known.text !== text) return schema
    return { $ref: `#/components/schemas/${title}` }
  }

  private hoistMembers(node: unknown): unknown {
    if (Array.isArray(node)) return node.map((entry) => this.hoist(entry))
    if (typeof node !== 'object' || node === null) return node
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, this.hoist(value)]))
  }
}

function isTitled(node: unknown): node is { readonly title: string } {
  return (
    typeof node === 'object' &&
    node !== null &&
    'title' in node &&
    typeof node.title === 'string' &&
    /^\w+$/.test(node.title) &&
    ('type' in node || 'anyOf' in node)
  )
}
