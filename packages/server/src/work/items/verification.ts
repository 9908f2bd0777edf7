/** Judging hand-ins with the checks of their type, and remembering refusals. User code runs here, outside every transaction. */
import { type FieldError, WorkError } from '@work-manager/contract'
import { LRUCache } from 'lru-cache'
import type { LeasedItem } from '../hot-path/requests.ts'
import { holdsLease, type LeaseFacts } from '../leases/decide.ts'
import type { OrderType } from '../order-types/define-order-type.ts'
import { TypeCrashed } from '../order-types/type-crashed.ts'
import { checkSubmission } from '../order-types/verify-submission.ts'
import { appendEvents, type Fact } from '../../kernel/store/events.ts'
import { findItemBrief, type ItemBrief, type ItemRow, lockItem, noteOnLeasedItem } from './store.ts'
import type { Instant, Tx } from '../../kernel/store/tx.ts'
import { attributesOf } from '../../tracing/attributes.ts'
import { traced } from '../../tracing/tracing.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { claimOf } from '../leases/asker.ts'
import { refused } from '../../kernel/operations/operation.ts'
import { follow } from '../../kernel/operations/traces.ts'
import { lostLease } from '../leases/lost-lease.ts'
import { getType } from '../orders/planning.ts'
import type { WorkContext } from '../tools.ts'

/** Input, type and order of an item never change (the runtime role may not write them), so keeping them in memory is safe. */
const briefs = new LRUCache<string, ItemBrief>({
  max: 5_000,
  maxSize: 32 * 1024 * 1024,
  sizeCalculation: (brief) => 200 + JSON.stringify(brief.input).length,
})

/** What was leased by this process is known without asking: mostly the same server hears the submit. Parsed when it is needed. */
const leased = new LRUCache<string, string>({ max: 5_000, maxSize: 16 * 1024 * 1024, sizeCalculation: (json) => 200 + json.length })

export function rememberLeased(tenantId: string, item: LeasedItem): void {
  leased.set(`${tenantId} ${item.itemId}`, item.json)
}

/** Refuses with: not_found. From here on the call belongs to the trace of the item's lease, unless its caller has one. */
export async function getItemBrief(context: WorkContext, id: string, token?: string): Promise<ItemBrief> {
  const brief = knownBrief(context, id) ?? (await readBrief(context, id))
  context.trace?.describe({ itemId: id, orderId: brief.order_id, orderType: brief.type })
  follow(context, brief.traceparent, token)
  return brief
}

const keyOf = (context: WorkContext, id: string): string => `${context.principal.tenantId} ${id}`

function knownBrief(context: WorkContext, id: string): ItemBrief | undefined {
  const key = keyOf(context, id)
  const known = briefs.get(key)
  if (known) return known
  const json = leased.get(key)
  if (json === undefined) return undefined
  const { order_id, type, input, traceparent } = JSON.parse(json) as ItemBrief
  return { id, order_id, type, input, traceparent }
}

async function readBrief(context: WorkContext, id: string): Promise<ItemBrief> {
  const brief = await context.read((q) => findItemBrief(q, id))
  if (!brief) throw new WorkError('not_found')
  briefs.set(keyOf(context, id), brief)
  return brief
}

export const factsOf = (item: ItemRow, decidedAt: Instant): LeaseFacts => ({
  state: item.state,
  token: item.lease_token,
  agentId: item.leased_by_agent_id,
  principal: item.leased_by_principal,
  requiresToken: item.require_token,
  expiresAt: item.lease_expires_at,
  decidedAt,
})

/** Locks the item, then reads the clock, then judges the lease. Refuses with: not_found and the lease refusals. */
export async function lockHeldItem(
  tx: Tx,
  context: WorkContext,
  id: string,
  token: string | undefined,
): Promise<{ item: ItemRow; at: Instant }> {
  const item = await lockItem(tx, id)
  if (!item) throw new WorkError('not_found')
  const at = await tx.clock()
  const claim = claimOf(context, token)
  const facts = factsOf(item, at)
  if (!holdsLease(facts, claim)) throw await lostLease(tx, tx.tenantId, id, facts, claim)
  return { item, at }
}

/** Runs checks of a type; as a span of their own where spans are recorded. */
export async function verified(context: WorkContext, check: () => Promise<readonly FieldError[]>): Promise<readonly FieldError[]> {
  if (!context.trace) return check()
  return traced(context.trace.tracing, 'verify', { parent: context.trace.traceparent }, async (span) => {
    const findings = await check()
    span.set(attributesOf({ outcome: findings.length === 0 ? 'passed' : 'refused' }))
    return findings
  })
}

/** Findings of the type's checks; a check that breaks is our side's fault and is logged. */
export async function judge(
  context: WorkContext,
  brief: ItemBrief,
  handedIn: { result: unknown; evidence: unknown; notes: string | null },
): Promise<readonly FieldError[]> {
  const type: OrderType = getType(context.tools, brief.type)
  try {
    return await verified(context, () => checkSubmission(type, { input: brief.input, ...handedIn, signal: context.signal }))
  } catch (error) {
    if (!(error instanceof TypeCrashed)) throw error
    throw new WorkError('internal', { detail: 'A check of the order type broke; nothing was handed in.' }, { cause: error })
  }
}

/**
 * Remembers a refusal on the record and on the item, guarded by the lease, then refuses. A stale holder changes nothing: it hears
 * about its lease instead.
 */
export async function refuseSubmission(
  context: WorkContext,
  id: string,
  token: string | undefined,
  findings: readonly FieldError[],
): Promise<never> {
  const error = new WorkError('verification_failed', {
    detail: `${findings[0]!.message}${findings.length > 1 ? ` (and ${findings.length - 1} more)` : ''}`,
    errors: findings,
  })
  await context.write(async (tx) => {
    const { item, at } = await lockHeldItem(tx, context, id, token)
    const kept = findings.slice(0, 20)
    await noteOnLeasedItem(tx, item, at, { error: { code: 'validation_failed', message: 'Submission validation failed', details: kept } })
    const fact: Fact = {
      kind: 'item.submission_refused',
      orderId: item.order_id,
      itemId: item.id,
      orderType: item.order_type,
      payload: { errors: kept },
      message: error.message.slice(0, 500),
    }
    await appendEvents(tx, actorOf(context), at, [fact])
    return refused(error)
  })
  throw error
}
