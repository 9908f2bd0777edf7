/**
 * The verdict on what an agent hands in: evidence, schema, then `gather`, then every check. It opens no transaction and
 * writes nothing. Findings are the agent's to correct; a check that throws is a bug of the type and is reported as TypeCrashed.
 */
import { EvidenceShape, nearestName, WorkError, type Evidence, type FieldError } from '@work-manager/contract'
import type { OrderType } from './define-order-type.ts'
import type { AssembledPart, Check, Finding, ItemForDecision, OrderForDecision } from './order-type.ts'
import { compileSchema } from '../../kernel/schemas/schema-validator.ts'
import { judged } from './judged.ts'
import { guarded, guardedWithin, TypeCrashed } from './type-crashed.ts'

const maxEvidence = 500
/** Per check: one wrong document must not become a thousand findings. */
const maxFindingsPerCheck = 50

const evidenceShape = compileSchema(EvidenceShape)

export interface HandedIn {
  readonly input: unknown
  readonly result: unknown
  readonly evidence?: unknown
  readonly notes?: string | null
  readonly signal?: AbortSignal
}

export interface HandedInPart {
  readonly input: unknown
  readonly partKey: string
  readonly seq: number | null
  readonly payload: unknown
  readonly evidence?: unknown
}

/** What is wrong with a list of evidence. Fields start with `evidence.`, codes too, so that they are not taken for fields of the result. */
export async function checkEvidence(evidence: unknown): Promise<readonly FieldError[]> {
  if (evidence === undefined || evidence === null) return []
  if (!Array.isArray(evidence))
    return [
      {
        field: 'evidence',
        code: 'evidence.type_mismatch',
        message: 'Field \'evidence\' must be a list of objects such as {"url":"https://…","quote":"…"}',
      },
    ]
  if (evidence.length > maxEvidence)
    return [{ field: 'evidence', code: 'evidence.max_items', message: `Field 'evidence' must contain no more than ${maxEvidence} items` }]
  const findings: FieldError[] = []
  for (const [i, entry] of evidence.entries())
    for (const e of await evidenceShape.validate(entry))
      findings.push({
        ...e,
        field: e.field === '' ? `evidence.${i}` : `evidence.${i}.${e.field}`,
        code: e.code.replace('schema.', 'evidence.'),
      })
  return findings
}

function runChecks<S>(type: OrderType, group: string, checks: readonly Check<S>[], submission: S): Finding[] {
  return checks.flatMap((check) => {
    const member = `${group}.${check.name}`
    const found: unknown = guarded(type.type, member, () => check.check(submission))
    return listOfFindings(type, member, found).map((finding) => ({ check: check.name, ...finding }))
  })
}

function listOfFindings(type: OrderType, member: string, found: unknown): Finding[] {
  if (!Array.isArray(found))
    throw new TypeCrashed(
      type.type,
      member,
      `must return a list of findings${found instanceof Promise ? ' without a promise: checks are pure, read what they need in gather' : ''}`,
    )
  for (const f of found as Partial<Finding>[])
    if (typeof f?.field !== 'string' || typeof f.code !== 'string' || typeof f.message !== 'string')
      throw new TypeCrashed(type.type, member, 'returned a finding without field, code and message')
  return found.slice(0, maxFindingsPerCheck) as Finding[]
}

/**
 * Judges a whole result. An empty list means that it may be accepted. Stops after evidence and schema when these fail, because checks
 * may rely on the shape.
 * Refuses with: TypeCrashed (a check or gather threw, or gather took too long).
 */
export async function checkSubmission(type: OrderType, handedIn: HandedIn): Promise<readonly Finding[]> {
  const { input, result } = handedIn
  const shape = [...(await judged(type.type, 'result', type.validators.result, result)), ...(await checkEvidence(handedIn.evidence))]
  if (shape.length > 0) return shape
  const evidence = (handedIn.evidence ?? []) as readonly Evidence[]
  const { gather } = type
  const materials = gather
    ? await guardedWithin(type.type, 'gather', type.gatherTimeoutMs, handedIn.signal, async (s) =>
        gather({ input, result, evidence, signal: s }),
      )
    : undefined
  return runChecks(type, 'verify', type.verify, { input, result, evidence, notes: handedIn.notes ?? null, materials })
}

/**
 * Judges one part. An empty list means that it may be kept.
 * Refuses with: parts_not_supported; TypeCrashed.
 */
export async function checkPart(type: OrderType, part: HandedInPart): Promise<readonly Finding[]> {
  if (!type.parts) throw new WorkError('parts_not_supported')
  const { input, partKey, seq, payload } = part
  const { parts: validators } = type.validators
  const validator = validators.get(partKey) ?? validators.get('*')
  if (!validator) {
    const near = nearestName(partKey, validators.keys())
    return [
      {
        field: 'part_key',
        code: 'part.unknown_key',
        message: `There is no part '${partKey}'${near ? `; did you mean '${near}'?` : ''}; keys: ${[...validators.keys()].join(', ')}`,
      },
    ]
  }
  const shape = [...(await judged(type.type, `parts.schemas.${partKey}`, validator, payload)), ...(await checkEvidence(part.evidence))]
  if (shape.length > 0) return shape
  const evidence = (part.evidence ?? []) as readonly Evidence[]
  return runChecks(type, 'parts.verify', type.parts.verify ?? [], { input, partKey, seq, payload, evidence })
}

/** The keys that strict finalize asks for. Refuses with: parts_not_supported; TypeCrashed. */
export function requiredParts(type: OrderType, input: unknown): readonly string[] {
  const { parts } = type
  if (!parts) throw new WorkError('parts_not_supported')
  return guarded(type.type, 'parts.required', () => [...parts.required(input)])
}

/**
 * Puts accepted parts together; the outcome is then judged by `checkSubmission` like any other result.
 * Refuses with: parts_not_supported; TypeCrashed.
 */
export function assembleParts(type: OrderType, parts: readonly AssembledPart[], input: unknown): unknown {
  const definition = type.parts
  if (!definition) throw new WorkError('parts_not_supported')
  const ordered = [...parts].sort((a, b) => (a.partKey === b.partKey ? (a.seq ?? -1) - (b.seq ?? -1) : a.partKey < b.partKey ? -1 : 1))
  const { assemble } = definition
  if (!assemble) return Object.fromEntries(ordered.map((part) => [part.partKey, part.payload]))
  return guarded(type.type, 'parts.assemble', () => assemble.call(definition, ordered, input))
}

/**
 * What stands against approving the order, across its items. An empty list means ready.
 * Refuses with: TypeCrashed.
 */
export function checkReadiness(
  type: OrderType,
  order: OrderForDecision<unknown>,
  items: readonly ItemForDecision<unknown, unknown>[],
): readonly Finding[] {
  const findings: Finding[] = []
  if (!items.some((item) => item.state === 'submitted'))
    findings.push({ field: 'items', code: 'nothing_submitted', message: 'No item of the order has a result to apply.' })
  if (type.onItemFailure === 'fail_order')
    for (const item of items)
      if (item.state === 'dead_lettered')
        findings.push({
          field: `items.${item.ordinal}`,
          code: 'item_dead_lettered',
          message: `Item ${item.ordinal} was given up; requeue it or reject the order.`,
          item_id: item.id,
        })
  if (findings.length > 0) return findings
  return listOfFindings(
    type,
    'canApprove',
    guarded(type.type, 'canApprove', () => type.canApprove(order, items) as unknown),
  )
}
