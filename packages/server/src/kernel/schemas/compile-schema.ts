/** Makes a judge of a bounded JSON Schema: every keyword becomes one check, every reference leads to its schema. */
import {
  all,
  anyOf,
  contains,
  dependentSchemas,
  ifThenElse,
  itemsCheck,
  membersCheck,
  not,
  nothingFits,
  oneOf,
  propertyNames,
  refer,
  referDynamically,
  unevaluatedItems,
  unevaluatedProperties,
} from './applicators.ts'
import { assertions, patternCheck } from './assertions.ts'
import type { Check, Kinds, Node, Resource } from './judge.ts'
import { isObject, keywords, type SchemaObject, subschemas } from './keywords.ts'
import { type LinearRegExp, linearRegExp } from './linear-regexp.ts'
import { type Place, type References, referencesOf } from './references.ts'
import { SchemaRefusedError } from './schema-refused.ts'

/** Schemas that one value meets, references followed: doubling chains of `allOf` reach millions with twenty lines of schema. */
const maxApplications = 5_000
/** Of all patterns together. */
const maxPatternSteps = 20_000

type Schema = SchemaObject | boolean
/** Checks that are not in the schema, by the place of the schema that they belong to. */
export type MoreChecks = ReadonlyMap<string, readonly Check[]>

export function compileJudge(root: Schema, more: MoreChecks = new Map()): Node {
  return new Compiler(root, more).root()
}

class Compiler {
  private readonly references: References
  private readonly nodes = new Map<Schema, Node>()
  private readonly resources = new Map<string, { dynamicAnchors: Map<string, Node> }>()
  private readonly places: ReadonlyMap<Schema, Place>
  private readonly more: MoreChecks
  private patternSteps = 0

  constructor(root: Schema, more: MoreChecks) {
    this.references = referencesOf(root)
    this.places = new Map(this.references.places.filter((one) => isObject(one.schema)).map((one) => [one.schema, one]))
    this.more = more
  }

  root(): Node {
    for (const [base, anchors] of this.references.dynamicAnchors)
      for (const [name, place] of anchors) this.resource(base).dynamicAnchors.set(name, this.node(place))
    for (const place of this.references.places) this.node(place)
    const known = new Map<Schema, number>()
    for (const place of this.references.places) this.countApplications(place, known, new Set())
    return this.node(this.references.places[0]!)
  }

  private resource(base: string): Resource & { dynamicAnchors: Map<string, Node> } {
    let resource = this.resources.get(base)
    if (!resource) this.resources.set(base, (resource = { dynamicAnchors: new Map() }))
    return resource
  }

  private node(place: Place): Node {
    const { schema, pointer, base } = place
    const made = isObject(schema) ? this.nodes.get(schema) : undefined
    if (made) return made
    const node: Node = { pointer, resource: this.resource(base), checks: [], lastChecks: [] }
    if (!isObject(schema)) {
      if (!schema) node.checks.push(nothingFits)
      return node
    }
    // Before its checks are made: they may lead back to it.
    this.nodes.set(schema, node)
    node.checks.push(...this.checksOf(place, schema), ...(this.more.get(pointer) ?? []))
    for (const [keyword, check] of [
      ['unevaluatedItems', unevaluatedItems],
      ['unevaluatedProperties', unevaluatedProperties],
    ] as const)
      if (keyword in schema) {
        const inner = schema[keyword] as Schema
        node.lastChecks.push(check(this.node(this.inner(place, `/${keyword}`, inner)), Object.keys((schema['properties'] as object) ?? {})))
      }
    return node
  }

  private checksOf(place: Place, schema: SchemaObject): Check[] {
    const checks: Check[] = []
    for (const [keyword, make] of Object.entries(assertions)) if (keyword in schema) checks.push(make(schema[keyword] as never, schema))
    const inner = new Map<string, Node>()
    for (const sub of subschemas(schema)) inner.set(sub.pointer, this.node(this.inner(place, sub.pointer, sub.schema)))
    const one = (keyword: string): Node | null => inner.get(`/${keyword}`) ?? null
    const list = (keyword: string): Node[] =>
      ((schema[keyword] as unknown[] | undefined) ?? []).map((_, i) => inner.get(`/${keyword}/${i}`)!)
    const map = (keyword: string): (readonly [string, Node])[] =>
      [...subschemas({ [keyword]: schema[keyword] ?? {} })].map((sub, i) => [
        Object.keys(schema[keyword] as object)[i]!,
        inner.get(sub.pointer)!,
      ])
    const has = (...names: string[]): boolean => names.some((name) => name in schema)
    const known = Object.keys((schema['properties'] as object | undefined) ?? {})

    if (has('pattern')) checks.push(patternCheck(this.pattern(schema['pattern'] as string, place, 'pattern'), schema['pattern'] as string))
    if (has('prefixItems', 'items')) checks.push(itemsCheck(list('prefixItems'), one('items')))
    if (has('contains'))
      checks.push(
        contains(
          one('contains')!,
          (schema['minContains'] as number | undefined) ?? 1,
          (schema['maxContains'] as number | undefined) ?? Number.POSITIVE_INFINITY,
        ),
      )
    if (has('propertyNames')) checks.push(propertyNames(one('propertyNames')!))
    if (has('properties', 'patternProperties', 'additionalProperties'))
      checks.push(
        membersCheck({
          properties: new Map(map('properties')),
          patterns: map('patternProperties').map(([source, node]) => [this.pattern(source, place, 'patternProperties'), node] as const),
          additional: one('additionalProperties'),
          known,
        }),
      )
    if (has('dependentSchemas')) checks.push(dependentSchemas(map('dependentSchemas')))
    if (has('$ref')) checks.push(refer(this.later(this.references.find('$ref', place).place)))
    if (has('$dynamicRef')) {
      const { place: target, dynamic } = this.references.find('$dynamicRef', place)
      checks.push(dynamic === null ? refer(this.later(target)) : referDynamically(this.later(target), dynamic))
    }
    const discriminator = (schema['discriminator'] as { propertyName: string } | undefined)?.propertyName ?? null
    if (has('allOf')) checks.push(all(list('allOf')))
    if (has('anyOf')) checks.push(anyOf(list('anyOf'), this.kindsOf(schema['anyOf'] as Schema[], place, list('anyOf')), discriminator))
    if (has('oneOf')) checks.push(oneOf(list('oneOf'), this.kindsOf(schema['oneOf'] as Schema[], place, list('oneOf')), discriminator))
    if (has('not')) checks.push(not(one('not')!))
    if (has('if')) checks.push(ifThenElse(one('if')!, one('then'), one('else')))
    return checks
  }

  private inner(place: Place, path: string, schema: Schema): Place {
    return this.places.get(schema) ?? { schema, pointer: place.pointer + path, base: place.base }
  }

  /** References may lead to what is being made. */
  private later(place: Place): () => Node {
    let node: Node | undefined
    return () => (node ??= this.node(place))
  }

  private pattern(source: string, { pointer }: Place, keyword: string): LinearRegExp {
    let pattern: LinearRegExp
    try {
      pattern = linearRegExp(source)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new SchemaRefusedError(
        `The pattern ${JSON.stringify(source)} cannot be run in linear time: ${reason}`,
        { pointer, keyword, advice: 'Write it without lookahead, lookbehind, back-references and very large counts.' },
        { cause },
      )
    }
    this.patternSteps += pattern.steps(8)
    if (this.patternSteps > maxPatternSteps)
      throw new SchemaRefusedError(`The patterns of the schema unfold into more than ${maxPatternSteps} steps together`, {
        pointer,
        keyword,
        advice: 'Use smaller counts, or fewer patterns.',
      })
    return pattern
  }

  /** Alternatives that each require the same member with constants of their own: one look at it finds those that can fit. */
  private kindsOf(alternatives: readonly Schema[], place: Place, nodes: readonly Node[]): Kinds | null {
    if (alternatives.length < 2) return null
    const shapes = alternatives.map((one) => this.shapeOf(one, place))
    const [first] = shapes
    for (const tag of first ? ((first['required'] as string[] | undefined) ?? []) : []) {
      const tags = shapes.map((shape) => shape && constantsOf(shape, tag))
      if (!tags.every((one) => one !== undefined && one !== false)) continue
      const byTag = new Map<unknown, Node[]>()
      for (const [i, values] of tags.entries())
        for (const value of new Set(values)) byTag.set(value, [...(byTag.get(value) ?? []), nodes[i]!])
      return { tag, byTag }
    }
    return null
  }

  private shapeOf(schema: Schema, from: Place): SchemaObject | false {
    if (!isObject(schema)) return false
    if (Object.keys(schema).length > 1 || typeof schema['$ref'] !== 'string') return schema
    const target = this.references.find('$ref', this.inner(from, '', schema)).place.schema
    return isObject(target) ? target : false
  }

  /** How many schemas one value meets in the worst case. Members and items are other values, counted on their own. */
  private countApplications(place: Place, known: Map<Schema, number>, open: Set<Schema>): number {
    const { schema, pointer } = place
    if (!isObject(schema)) return 1
    const before = known.get(schema)
    if (before !== undefined) return before
    if (open.has(schema))
      throw new SchemaRefusedError('The schema refers to itself without looking at an inner value', {
        pointer,
        keyword: '$ref',
        advice: 'Put the reference under properties or items.',
      })
    open.add(schema)
    let total = 1
    for (const keyword of ['$ref', '$dynamicRef'] as const)
      if (keyword in schema) total += this.countApplications(this.references.find(keyword, place).place, known, open)
    for (const sub of subschemas(schema))
      if (keywords.get(sub.keyword)!.inPlace) total += this.countApplications(this.inner(place, sub.pointer, sub.schema), known, open)
    if (total > maxApplications)
      throw new SchemaRefusedError(`One value would be checked against more than ${maxApplications} subschemas`, {
        pointer,
        keyword: '',
        advice: 'Replace doubling allOf/anyOf/$ref chains by one shape.',
      })
    open.delete(schema)
    known.set(schema, total)
    return total
  }
}

/** The texts that a required member must be one of; false: anything else may be there. */
function constantsOf(shape: SchemaObject, tag: string): string[] | false {
  const required = shape['required'] as string[] | undefined
  const properties = shape['properties'] as Record<string, Schema> | undefined
  if (!required?.includes(tag) || !properties || !Object.hasOwn(properties, tag)) return false
  const member = properties[tag]!
  if (!isObject(member)) return false
  const values = 'const' in member ? [member['const']] : member['enum']
  return Array.isArray(values) && values.every((value) => typeof value === 'string') ? values : false
}
