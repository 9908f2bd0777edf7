/** Where references of a schema lead: addresses are worked out as the standard says, and nothing outside the schema is ever looked for. */
import { isObject, type SchemaObject, subschemas } from './keywords.ts'
import { SchemaRefusedError } from './schema-refused.ts'

/** What relative addresses of a schema without an address of its own stand on. */
const nowhere = 'https://schema.invalid/'

export interface Place {
  readonly schema: SchemaObject | boolean
  readonly pointer: string
  /** Of the resource that it stands in. */
  readonly base: string
}

export interface Reference {
  readonly place: Place
  /** The name that `$dynamicRef` looks for from the outside in; null: it is an ordinary reference. */
  readonly dynamic: string | null
}

export interface References {
  readonly places: readonly Place[]
  /** The dynamic anchors of each resource. */
  readonly dynamicAnchors: ReadonlyMap<string, ReadonlyMap<string, Place>>
  /** Refuses with: SchemaRefusedError when it leads out of the schema. */
  find(keyword: '$ref' | '$dynamicRef', from: Place): Reference
}

export function referencesOf(root: SchemaObject | boolean): References {
  const places: Place[] = []
  const bySchema = new Map<object, Place>()
  const resources = new Map<string, Place>()
  const anchors = new Map<string, Place>()
  const dynamicAnchors = new Map<string, Map<string, Place>>()

  const note = (map: Map<string, Place>, address: string, place: Place, keyword: string): void => {
    if (map.has(address) && map.get(address)!.schema !== place.schema)
      throw new SchemaRefusedError(`Two schemas have the address ${JSON.stringify(address.replace(nowhere, ''))}`, {
        pointer: place.pointer,
        keyword,
        advice: 'Give each its own name.',
      })
    map.set(address, place)
  }

  const pending: Place[] = [{ schema: root, pointer: '', base: nowhere }]
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { schema, pointer } = next
    let { base } = next
    if (isObject(schema) && typeof schema['$id'] === 'string') base = addressOf(schema['$id'], base, pointer).replace(/#$/, '')
    const place: Place = { schema, pointer, base }
    places.push(place)
    if (pointer === '' || (isObject(schema) && '$id' in schema)) note(resources, base, place, '$id')
    if (!isObject(schema)) continue
    bySchema.set(schema, place)
    for (const keyword of ['$anchor', '$dynamicAnchor'])
      if (typeof schema[keyword] === 'string') note(anchors, `${base}#${schema[keyword]}`, place, keyword)
    if (typeof schema['$dynamicAnchor'] === 'string') {
      const ofBase = dynamicAnchors.get(base) ?? new Map<string, Place>()
      dynamicAnchors.set(base, ofBase.set(schema['$dynamicAnchor'], place))
    }
    const inner = [...subschemas(schema)].map((one) => ({ schema: one.schema, pointer: pointer + one.pointer, base }))
    pending.push(...inner.reverse())
  }

  function find(keyword: '$ref' | '$dynamicRef', from: Place): Reference {
    const ref = (from.schema as SchemaObject)[keyword] as string
    const [address, fragment = ''] = addressOf(ref, from.base, from.pointer).split('#', 2) as [string, string?]
    const resource = resources.get(address)
    const name = decoded(fragment)
    const target = !resource ? undefined : name === '' || name.startsWith('/') ? at(resource, name) : anchors.get(`${address}#${name}`)
    if (!target)
      throw new SchemaRefusedError(
        resource ? `${keyword} leads to no schema: ${JSON.stringify(ref)}` : `${keyword} points outside the schema: ${JSON.stringify(ref)}`,
        { pointer: from.pointer, keyword, advice: 'Copy the shape into $defs and use "#/$defs/Name"; nothing is fetched.' },
      )
    const isDynamic = keyword === '$dynamicRef' && isObject(target.schema) && target.schema['$dynamicAnchor'] === name
    return { place: target, dynamic: isDynamic ? name : null }
  }

  /** A JSON pointer below a resource; only places where schemas stand are found. */
  function at(resource: Place, pointer: string): Place | undefined {
    let value: unknown = resource.schema
    for (const step of pointer.split('/').slice(1)) {
      const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
      value = (value as Record<string, unknown>)[key]
    }
    if (typeof value === 'boolean') return { schema: value, pointer: `${resource.pointer}${pointer}`, base: resource.base }
    return typeof value === 'object' && value !== null ? bySchema.get(value) : undefined
  }

  return { places, dynamicAnchors, find }
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment)
  } catch {
    return fragment
  }
}

function addressOf(reference: string, base: string, pointer: string): string {
  const url = URL.parse(reference, base)
  if (!url)
    throw new SchemaRefusedError(`${JSON.stringify(reference)} is no address`, {
      pointer,
      keyword: '$ref',
      advice: 'Use "#/$defs/Name" for shapes of the same schema.',
    })
  return url.href
}
