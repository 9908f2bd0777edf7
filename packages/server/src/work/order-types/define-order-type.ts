/**
 * `defineOrderType`: checks a definition once, compiles its schemas and fills what was left out, so that the rest of the server
 * meets one complete shape. Mistakes are reported all together, when the type is defined and not when the first agent comes.
 */
import type {
  AnySchema,
  InferSchema,
  OrderForDecision,
  OrderTypeDefinition,
  PartsDefinition,
  PlannedItem,
  Check,
  Submission,
  Finding,
  ItemForDecision,
  EffectDefinition,
} from './order-type.ts'
import { compileSchema, SchemaRefusedError, type Validator } from '../../kernel/schemas/schema-validator.ts'

/** Symbol.for: a second copy of the package in a user's tree still recognises what the first one made. */
const mark = Symbol.for('work-manager.order-type')

export interface OrderTypeValidators {
  readonly payload: Validator
  /** Null: items are as `plan` made them. */
  readonly input: Validator | null
  readonly result: Validator
  /** By part key; `'*'` serves every key that is not named. */
  readonly parts: ReadonlyMap<string, Validator>
}

/** A checked definition with nothing left out. Members that are null follow the server's settings. */
export interface OrderType<Payload = unknown, Input = unknown, Result = unknown, Materials = unknown> {
  readonly [mark]: true
  readonly type: string
  readonly version: number
  readonly title: string
  readonly description: string
  readonly validators: OrderTypeValidators
  readonly parts: PartsDefinition<Input, Result> | null
  plan(order: {
    readonly payload: Payload
    readonly meta: Readonly<Record<string, unknown>> | null
  }): readonly PlannedItem<Input>[] | Promise<readonly PlannedItem<Input>[]>
  readonly gather: OrderTypeDefinition<Payload, Input, Result, Materials>['gather'] | null
  readonly gatherTimeoutMs: number
  readonly verify: readonly Check<Submission<Input, Result, Materials>>[]
  canApprove(order: OrderForDecision<Payload>, items: readonly ItemForDecision<Input, Result>[]): readonly Finding[]
  readonly beforeApply: OrderTypeDefinition<Payload, Input, Result, Materials>['beforeApply'] | null
  apply: OrderTypeDefinition<Payload, Input, Result, Materials>['apply']
  readonly afterApply: OrderTypeDefinition<Payload, Input, Result, Materials>['afterApply'] | null
  readonly effects: Readonly<Record<string, EffectDefinition>>
  readonly autoApprove: boolean
  readonly duties: { readonly selfApproval: 'refuse' | 'allow' }
  readonly retry: {
    readonly maxAttempts: number | null
    readonly baseSeconds: number | null
    readonly maxSeconds: number | null
    readonly maxRetryAfterSeconds: number | null
    readonly confirmPermanent: boolean
  }
  readonly leaseTtlSeconds: number | null
  readonly maxLeaseSeconds: number | null
  readonly cooldownSeconds: number | null
  readonly maxLeases: number | null
  readonly rateLimit: { readonly perMinute: number } | null
  readonly requireLeaseToken: boolean | null
  readonly recordHeartbeats: boolean
  readonly secretFields: readonly string[]
  readonly onItemFailure: 'fail_order' | 'proceed'
}

/** Everything that is wrong with a definition, in one list. */
export class DefinitionError extends Error {
  readonly problems: readonly string[]
  constructor(what: string, problems: readonly string[]) {
    super(`${what} cannot be used:\n${problems.map((p) => `  - ${p}`).join('\n')}`)
    this.name = 'DefinitionError'
    this.problems = problems
  }
}

/** Tuples keep the union of schemas from distributing. */
type ItemInput<P, I> = [I] extends [undefined] ? InferSchema<P> : InferSchema<I>
type Inferred<P extends AnySchema, I extends AnySchema | undefined, R extends AnySchema, M> = Omit<
  OrderTypeDefinition<InferSchema<P>, ItemInput<P, I>, InferSchema<R>, M>,
  'payload' | 'input' | 'result'
> & {
  readonly payload: P
  /** Default: the payload's schema, when there is no `plan`. */
  readonly input?: I
  readonly result: R
}

const typeName = /^[a-z0-9]+([._-][a-z0-9]+)*$/
/** Functions and members by name and expected kind; everything else in a definition is a misspelling. */
const members: Readonly<Record<string, 'string' | 'number' | 'boolean' | 'function' | 'object' | 'schema'>> = {
  type: 'string',
  version: 'number',
  title: 'string',
  description: 'string',
  payload: 'schema',
  input: 'schema',
  result: 'schema',
  parts: 'object',
  plan: 'function',
  gather: 'function',
  gatherTimeoutMs: 'number',
  verify: 'object',
  canApprove: 'function',
  beforeApply: 'function',
  apply: 'function',
  afterApply: 'function',
  effects: 'object',
  autoApprove: 'boolean',
  duties: 'object',
  retry: 'object',
  leaseTtlSeconds: 'number',
  maxLeaseSeconds: 'number',
  cooldownSeconds: 'number',
  maxLeases: 'number',
  rateLimit: 'object',
  requireLeaseToken: 'boolean',
  recordHeartbeats: 'boolean',
  secretFields: 'object',
  onItemFailure: 'string',
}

function checkMembers(d: Record<string, unknown>, problems: string[]): void {
  for (const [name, value] of Object.entries(d)) {
    const kind = members[name]
    if (kind === undefined) problems.push(`'${name}' is not a member of an order type; known: ${Object.keys(members).join(', ')}`)
    else if (value !== undefined && kind !== 'schema' && (typeof value !== kind || value === null))
      problems.push(`${name} must be a ${kind}`)
  }
  for (const name of ['payload', 'result', 'apply']) if (d[name] === undefined) problems.push(`${name} is missing`)
}

function checkNumber(problems: string[], name: string, value: number | undefined, min: number, max: number): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= min && value <= max))
    problems.push(`${name} must be a whole number from ${min} to ${max}, not ${value}`)
}

function checkChecks(problems: string[], name: string, checks: unknown): void {
  if (checks === undefined) return
  if (!Array.isArray(checks)) return void problems.push(`${name} must be a list of { name, check }`)
  const seen = new Set<string>()
  for (const [i, c] of (checks as Partial<Check<unknown>>[]).entries()) {
    if (typeof c?.name !== 'string' || c.name === '' || typeof c.check !== 'function')
      problems.push(`${name}[${i}] must be { name, check(submission) }`)
    else if (seen.has(c.name)) problems.push(`${name} holds two checks named '${c.name}'; findings are told apart by name`)
    else seen.add(c.name)
  }
}

function checkRules(d: OrderTypeDefinition, problems: string[]): void {
  if (typeof d.type === 'string' && !(d.type.length <= 120 && typeName.test(d.type)))
    problems.push(`type '${d.type.slice(0, 130)}' must be dotted lower case such as user.data.sync, at most 120 characters`)
  if (d.type === undefined) problems.push('type is missing: a dotted lower-case name such as user.data.sync')
  checkNumber(problems, 'version', d.version, 1, 1_000_000)
  if (
    d.secretFields !== undefined &&
    !(Array.isArray(d.secretFields) && d.secretFields.every((name) => /^[\w-]{1,120}$/.test(String(name))))
  )
    problems.push('secretFields must be a list of member names such as ssn or card_number (letters, digits, _ and -; no paths)')
  checkNumber(problems, 'leaseTtlSeconds', d.leaseTtlSeconds, 5, 86_400)
  checkNumber(problems, 'maxLeaseSeconds', d.maxLeaseSeconds, 5, 30 * 86_400)
  checkNumber(problems, 'cooldownSeconds', d.cooldownSeconds, 0, 3_600)
  checkNumber(problems, 'retry.maxRetryAfterSeconds', d.retry?.maxRetryAfterSeconds, 0, 7 * 86_400)
  if (d.retry?.confirmPermanent !== undefined && typeof d.retry.confirmPermanent !== 'boolean')
    problems.push('retry.confirmPermanent must be true or false')
  checkNumber(problems, 'maxLeases', d.maxLeases, 1, 1_000_000)
  checkNumber(problems, 'rateLimit.perMinute', d.rateLimit && (d.rateLimit.perMinute ?? Number.NaN), 1, 1_000_000)
  checkNumber(problems, 'gatherTimeoutMs', d.gatherTimeoutMs, 1, 60_000)
  checkNumber(problems, 'retry.maxAttempts', d.retry?.maxAttempts, 1, 100)
  checkNumber(problems, 'retry.baseSeconds', d.retry?.baseSeconds, 0, 86_400)
  checkNumber(problems, 'retry.maxSeconds', d.retry?.maxSeconds, 0, 7 * 86_400)
  const { baseSeconds, maxSeconds } = d.retry ?? {}
  if (baseSeconds !== undefined && maxSeconds !== undefined && baseSeconds > maxSeconds)
    problems.push(`retry.baseSeconds (${baseSeconds}) is more than retry.maxSeconds (${maxSeconds})`)
  checkChecks(problems, 'verify', d.verify)
  checkChecks(problems, 'parts.verify', d.parts?.verify)
  if (d.parts && typeof d.parts.required !== 'function')
    problems.push('parts.required(input) is missing: it names the keys that strict finalize asks for')
  if (d.parts && Object.keys(d.parts.schemas ?? {}).length === 0)
    problems.push("parts.schemas is empty: give a schema per part key, or one under '*'")
  for (const [name, effect] of Object.entries(d.effects ?? {}))
    if (typeof effect?.run !== 'function' || typeof effect.deduplicates !== 'boolean')
      problems.push(`effects.${name} must be { deduplicates: true|false, run(input, context) }`)
  if (d.duties && d.duties.selfApproval !== 'refuse' && d.duties.selfApproval !== 'allow')
    problems.push("duties.selfApproval must be 'refuse' or 'allow'")
  if (d.onItemFailure !== undefined && d.onItemFailure !== 'fail_order' && d.onItemFailure !== 'proceed')
    problems.push("onItemFailure must be 'fail_order' or 'proceed'")
  if (d.autoApprove === true && !d.canApprove && !d.gather && (d.verify ?? []).length === 0)
    problems.push('autoApprove needs canApprove, verify or gather: without one of them, whatever an agent writes would be applied unseen')
}

function compileAll(d: OrderTypeDefinition, problems: string[]): OrderTypeValidators | null {
  const compile = (name: string, schema: AnySchema | undefined): Validator | null => {
    if (schema === undefined) return null
    try {
      return compileSchema(schema)
    } catch (error) {
      if (!(error instanceof SchemaRefusedError)) throw error
      problems.push(`${name}: ${error.message}`)
      return null
    }
  }
  const payload = compile('payload', d.payload)
  const result = compile('result', d.result)
  const input = d.input === undefined && d.plan === undefined ? payload : compile('input', d.input)
  const parts = new Map<string, Validator>()
  for (const [key, schema] of Object.entries(d.parts?.schemas ?? {})) {
    const validator = compile(`parts.schemas.${key}`, schema)
    if (validator) parts.set(key, validator)
  }
  return payload && result ? { payload, result, input, parts } : null
}

/**
 * Makes an order type from its definition; plan, checks and apply are typed from the schemas.
 * Refuses with: DefinitionError, which lists every problem of the definition at once.
 */
export function defineOrderType<
  const P extends AnySchema,
  const R extends AnySchema,
  const I extends AnySchema | undefined = undefined,
  M = undefined,
>(definition: Inferred<P, I, R, M>): OrderType<InferSchema<P>, ItemInput<P, I>, InferSchema<R>, M> {
  const d = definition as unknown as OrderTypeDefinition
  const problems: string[] = []
  if (typeof d !== 'object' || d === null) throw new DefinitionError('The order type', ['a definition must be an object'])
  checkMembers(d as unknown as Record<string, unknown>, problems)
  let validators: OrderTypeValidators | null = null
  // The rules read members by their declared kinds; with a wrong kind they would only repeat what is already said.
  if (problems.length === 0) {
    checkRules(d, problems)
    validators = compileAll(d, problems)
  }
  if (problems.length > 0 || validators === null) throw new DefinitionError(`Order type '${d.type}'`, problems)
  const type: OrderType = {
    [mark]: true,
    type: d.type,
    version: d.version ?? 1,
    title: d.title ?? d.type,
    description: d.description ?? '',
    validators,
    parts: d.parts ?? null,
    plan: d.plan?.bind(d) ?? ((order) => [{ input: order.payload }]),
    gather: d.gather?.bind(d) ?? null,
    gatherTimeoutMs: d.gatherTimeoutMs ?? 5_000,
    verify: d.verify ?? [],
    canApprove: d.canApprove?.bind(d) ?? (() => []),
    beforeApply: d.beforeApply?.bind(d) ?? null,
    apply: d.apply.bind(d),
    afterApply: d.afterApply?.bind(d) ?? null,
    effects: d.effects ?? {},
    autoApprove: d.autoApprove ?? false,
    duties: d.duties ?? { selfApproval: 'refuse' },
    retry: {
      maxAttempts: d.retry?.maxAttempts ?? null,
      baseSeconds: d.retry?.baseSeconds ?? null,
      maxSeconds: d.retry?.maxSeconds ?? null,
      maxRetryAfterSeconds: d.retry?.maxRetryAfterSeconds ?? null,
      confirmPermanent: d.retry?.confirmPermanent ?? false,
    },
    leaseTtlSeconds: d.leaseTtlSeconds ?? null,
    maxLeaseSeconds: d.maxLeaseSeconds ?? null,
    cooldownSeconds: d.cooldownSeconds ?? null,
    maxLeases: d.maxLeases ?? null,
    rateLimit: d.rateLimit ?? null,
    requireLeaseToken: d.requireLeaseToken ?? null,
    recordHeartbeats: d.recordHeartbeats ?? false,
    secretFields: [...(d.secretFields ?? [])],
    onItemFailure: d.onItemFailure ?? 'fail_order',
  }
  return Object.freeze(type) as unknown as OrderType<InferSchema<P>, ItemInput<P, I>, InferSchema<R>, M>
}

/** True for what `defineOrderType` returned. */
export function isOrderType(value: unknown): value is OrderType {
  return typeof value === 'object' && value !== null && (value as { [mark]?: unknown })[mark] === true
}
