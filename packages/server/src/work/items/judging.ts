/** Judging hand-ins with the checks of their type, and remembering refusals. User code runs here, outside every transaction. */
import { type FieldError, WorkError } from '@work-manager/contract'
import { actorOf } from '../../kernel/operations/actor.ts'
import { refused } from '../../kernel/operations/operation.ts'
import { appendEvents, type NewEvent, ofItem } from '../../kernel/store/events.ts'
import { attributesOf } from '../../tracing/attributes.ts'
import { traced } from '../../tracing/tracing.ts'
import type { OrderType } from '../order-types/define-order-type.ts'
import { brokeType, TypeCrashed } from '../order-types/type-crashed.ts'
import { checkSubmission } from '../order-types/verify-submission.ts'
import { getType } from '../orders/planning.ts'
import type { WorkContext } from '../tools.ts'
import { lockHeldItem } from './held-item.ts'
import { type ItemBrief, noteOnLeasedItem } from './store.ts'

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
    const submission = {
      input: brief.input,
      ...handedIn,
      // Made for those who look at it: only a gather does.
      get signal() {
        return context.signal
      },
    }
    return await verified(context, () => checkSubmission(type, submission))
  } catch (error) {
    if (!(error instanceof TypeCrashed)) throw error
    throw brokeType(error, 'nothing was handed in')
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
    const event: NewEvent = {
      kind: 'item.submission_refused',
      ...ofItem(item),
      payload: { errors: kept },
      message: error.message.slice(0, 500),
    }
    await appendEvents(tx, actorOf(context), at, [event])
    return refused(error)
  })
  throw error
}
