/** The order types and generators of one server, by name. Built once at start and never changed while it runs. */
import { createHash } from 'node:crypto'
import { canonicalJson } from '../../kernel/canonical-json.ts'
import type { Generator } from '../generators/define-generator.ts'
import { DefinitionError, isOrderType, type OrderType } from './define-order-type.ts'
import { isGenerator } from '../generators/define-generator.ts'
import { nearestName } from '@work-manager/contract'
import type { JsonSchema } from '../../kernel/schemas/schema-validator.ts'

/** What the server uses where a type says nothing. */
export interface OrderTypeDefaults {
  readonly leaseTtlSeconds: number
  readonly maxAttempts: number
  readonly requireLeaseToken: boolean
}

/** An order type as agents and people see it. */
export interface OrderTypeDescription {
  readonly type: string
  readonly version: number
  readonly title: string
  readonly description: string
  readonly schemas: {
    readonly payload: JsonSchema
    readonly input: JsonSchema | null
    readonly result: JsonSchema
    readonly parts: Readonly<Record<string, JsonSchema>> | null
  }
  /** How to hand in parts, or null when the type takes none. */
  readonly parts_note: string | null
  readonly auto_approve: boolean
  readonly self_approval: 'refuse' | 'allow'
  readonly lease_ttl_seconds: number
  readonly require_lease_token: boolean
  readonly max_attempts: number
  readonly on_item_failure: 'fail_order' | 'proceed'
  /** SHA-256 of name, version and schemas: two servers with the same digest ask for the same documents. */
  readonly digest: string
}

export interface OrderTypeRegistry {
  readonly defaults: OrderTypeDefaults
  readonly generators: readonly Generator[]
  get(type: string): OrderType | undefined
  has(type: string): boolean
  /** The registered name that a wrong one was probably meant to be. */
  nearest(type: string): string | undefined
  /** Every type, by name. */
  list(): readonly OrderType[]
  describe(type: string): OrderTypeDescription | undefined
}

const fallback: OrderTypeDefaults = { leaseTtlSeconds: 600, maxAttempts: 3, requireLeaseToken: true }

function describeType(type: OrderType, defaults: OrderTypeDefaults): OrderTypeDescription {
  const { payload, input, result, parts } = type.validators
  const schemas = {
    payload: payload.jsonSchema,
    input: input?.jsonSchema ?? null,
    result: result.jsonSchema,
    parts: type.parts ? Object.fromEntries([...parts].map(([key, v]) => [key, v.jsonSchema])) : null,
  }
  return {
    type: type.type,
    version: type.version,
    title: type.title,
    description: type.description,
    schemas,
    parts_note: type.parts
      ? `Takes parts with the keys ${[...parts.keys()].map((k) => (k === '*' ? 'any other key' : k)).join(', ')}; which ones finalize asks for depends on the item and is listed in its parts_required.`
      : null,
    auto_approve: type.autoApprove,
    self_approval: type.duties.selfApproval,
    lease_ttl_seconds: type.leaseTtlSeconds ?? defaults.leaseTtlSeconds,
    require_lease_token: type.requireLeaseToken ?? defaults.requireLeaseToken,
    max_attempts: type.retry.maxAttempts ?? defaults.maxAttempts,
    on_item_failure: type.onItemFailure,
    digest: createHash('sha256')
      .update(canonicalJson({ type: type.type, version: type.version, schemas }))
      .digest('hex'),
  }
}

/**
 * Builds the registry.
 * Refuses with: DefinitionError when two types or two generators share a name, or when something was not made by defineOrderType.
 */
export function createRegistry(content: {
  readonly types: readonly unknown[]
  readonly generators?: readonly unknown[]
  readonly defaults?: Partial<OrderTypeDefaults>
}): OrderTypeRegistry {
  const problems: string[] = []
  const defaults = { ...fallback, ...content.defaults }
  const byName = new Map<string, OrderType>()
  for (const [i, type] of content.types.entries()) {
    if (!isOrderType(type)) problems.push(`types[${i}] was not made by defineOrderType`)
    else if (byName.has(type.type))
      problems.push(
        `two order types are named '${type.type}': '${byName.get(type.type)?.title}' (version ${byName.get(type.type)?.version}) and '${type.title}' (version ${type.version}); rename one`,
      )
    else byName.set(type.type, type)
  }
  const generators: Generator[] = []
  for (const [i, generator] of (content.generators ?? []).entries()) {
    if (!isGenerator(generator)) problems.push(`generators[${i}] was not made by defineGenerator`)
    else if (generators.some((g) => g.name === generator.name)) problems.push(`two generators are named '${generator.name}'; rename one`)
    else generators.push(generator)
  }
  if (problems.length > 0) throw new DefinitionError('The registry', problems)
  const sorted = [...byName.values()].sort((a, b) => (a.type < b.type ? -1 : 1))
  const descriptions = new Map(sorted.map((type) => [type.type, describeType(type, defaults)]))
  return {
    defaults,
    generators,
    get: (name) => byName.get(name),
    has: (name) => byName.has(name),
    nearest: (name) => nearestName(name, byName.keys()),
    list: () => sorted,
    describe: (name) => descriptions.get(name),
  }
}
