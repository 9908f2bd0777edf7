/**
 * Approving. The decision (submitted → approved, bound to a digest) is approving.ts in one transaction; the change itself is made by
 * applying/applier.ts, and this verb waits a moment for it.
 */
import { hash } from 'node:crypto'
import { type Instant, secondsAfter } from '../../kernel/store/tx.ts'
import { countdown } from '../../kernel/countdown.ts'
import { illegalMove } from '../../kernel/transitions.ts'
import { DiffShape, OrderShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { assertReadyForApproval } from './decide.ts'
import { brokeType, TypeCrashed } from '../order-types/type-crashed.ts'
import { topics } from '../topics.ts'
import { findDiff } from '../../kernel/store/events.ts'
import { findOrder, renderOrder } from '../orders/store.ts'
import { readOrderToJudge } from './store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { orderId } from '../inputs.ts'
import type { Reply } from '../../kernel/operations/operation.ts'
import { defineOperation, type WorkContext } from '../tools.ts'
import { decideApproval, decideAsSeen } from './approving.ts'
import { openItemsOf, readDecisionContent, readinessFindings, refusingLarge } from './decision-content.ts'
import { followOrder, traceparentOf } from '../../kernel/operations/traces.ts'
import { getType } from '../orders/planning.ts'
import { orderShown } from '../shown.ts'
import { lastShown, sinceShown } from './shown-orders.ts'

/** The apply is a job of its own. Waits for it, and answers with the diff, or with 202 and where to look. Refuses with: apply_failed. */
async function awaitApplied(context: WorkContext, id: string, leftMs: () => number): Promise<Reply> {
  for (;;) {
    const settled = context.wait(topics.settled(id), Math.min(250, Math.max(1, leftMs())))
    // Nobody looks at it any more when the answer came first.
    settled.catch(() => {})
    const seen = await context.read(async (q) => ({
      row: await findOrder(q, id),
      json: await renderOrder(q, id),
      diff: await findDiff(q, id),
    }))
    if (!seen.row) throw new WorkError('not_found')
    if (seen.row.state === 'completed' || seen.row.state === 'applied')
      return { status: 200, json: `{"order":${seen.json},"diff":${seen.diff ?? 'null'}}` }
    // Somebody's decision came between: it stands, and approving again is not what helps.
    if (seen.row.state !== 'approved' && seen.row.state !== 'submitted') throw illegalMove('order', seen.row.state, 'applied')
    if (seen.row.state === 'submitted') {
      const { last_apply_error: cause } = JSON.parse(seen.json!) as { last_apply_error: { message?: string } | null }
      throw new WorkError('apply_failed', {
        detail: `Applying failed; nothing was changed: ${cause?.message ?? `the order is ${seen.row.state}`}`,
        extra: { order_state: seen.row.state, apply_error: cause },
      })
    }
    if (leftMs() <= 0 || context.signal.aborted)
      return { status: 202, json: `{"order":${seen.json},"diff":null,"message":"Approved; still being applied. Read the order again."}` }
    await settled
  }
}

async function readJudged(context: WorkContext, id: string) {
  const { tools, principal } = context
  const { content: text, ...involved } = await refusingLarge(() =>
    readOrderToJudge(tools.db, principal.tenantId, id, context.trace !== null, { principal: principal.name, keyId: principal.keyId }),
  )
  if (text === null) throw new WorkError('not_found')
  return { ...readDecisionContent(principal.tenantId, text), ...involved, seen: hash('sha256', text, 'buffer') }
}

/** Applied by this process, with the answer in hand; null when it has to be looked up, or takes too long. */
async function appliedHere(context: WorkContext, id: string, leftMs: () => number): Promise<Reply | null> {
  const { tools } = context
  const applying = tools.applies.atOnce(context.principal.tenantId, id, context.heldKey())
  const look = () => {
    tools.signal.wake(topics.approved)
    return null
  }
  if (applying === null) return look()
  const answer = await Promise.race([applying.then(({ answer: made }) => made, look), context.wait(topics.settled(id), leftMs())])
  if (!answer) return null
  // Kept in the moment of the apply.
  const { order } = JSON.parse(answer.json) as { order: { completed_at: Instant | null } }
  const at = order.completed_at
  return { ...answer, isKept: true, ...(at !== null && { keptUntil: secondsAfter(at, tools.settings.idempotencyTtlSeconds) }) }
}

export const approveOrder = defineOperation({
  name: 'approve_order',
  summary: 'Approve exactly what is there (or the digest you name); it is applied once, and the answer carries the diff.',
  http: { method: 'POST', path: '/orders/:order/approve', success: 200 },
  ability: 'work:approve',
  peopleOnly: true,
  waits: true,
  idempotency: 'required',
  refuses: [
    'not_found',
    'not_ready_for_approval',
    'illegal_state_transition',
    'content_changed',
    'digest_required',
    'separation_of_duties',
    'order_type_broke',
    'order_too_large',
    'apply_failed',
  ],
  command: { words: 'orders approve', byHand: true },
  tool: {
    name: 'work_approve',
    title: 'Approve and apply',
    effects: { destructive: true, openWorld: true },
    shows: { order: orderShown, diff: true, message: true },
  },
  input: Type.Object({
    order: orderId,
    digest: Type.Optional(
      Type.Union([Type.Null(), Type.String({ maxLength: 100, description: 'The digest of what you looked at (GET /orders/{order}).' })]),
    ),
  }),
  output: Type.Object({ order: OrderShape, diff: Type.Union([DiffShape, Type.Null()]), message: Type.Optional(Type.String()) }),
  async handler(context, input) {
    const { tools, principal } = context
    const judged = await readJudged(context, input.order)
    const isOpen = judged.row.state === 'submitted'
    const shown = isOpen && input.digest !== judged.content.digest ? await lastShown(context, input.order) : undefined
    if (!input.digest && tools.settings.requireDigest)
      throw new WorkError('digest_required', isOpen ? sinceShown(shown, judged.content) : {})
    // By its id alone an order is approved as it was shown to whoever approves.
    const digest = input.digest ?? shown?.digest ?? null
    if (isOpen && digest !== null && digest !== judged.content.digest)
      throw new WorkError('content_changed', sinceShown(shown, judged.content))
    followOrder(context, judged.row)
    // Hours may lie between the work and the decision: it has to do with the work, and is not a part of it.
    for (const one of judged.handed_in ?? []) context.trace?.link(one)
    // Before any lock: while it is being applied, its lock is taken for as long as that lasts.
    if (judged.row.state !== 'submitted') assertReadyForApproval(judged.row.state, openItemsOf(judged.content), [])
    const type = getType(tools, judged.row.type)
    let findings: ReturnType<typeof readinessFindings> = []
    if (judged.row.state === 'submitted') {
      try {
        findings = readinessFindings(type, judged.content)
      } catch (error) {
        if (!(error instanceof TypeCrashed)) throw error
        throw brokeType(error, 'nothing was decided')
      }
    }
    const approval = {
      orderId: input.order,
      actor: actorOf(context),
      decider: { principal: principal.name, kind: principal.kind, keyId: principal.keyId },
      digest,
      traceparent: traceparentOf(context),
    }
    if (!(await context.writeAtOnce((key) => decideAsSeen(tools.db, principal.tenantId, type, approval, { ...judged, findings }, key))))
      await context
        .write(
          async (tx) => {
            await decideApproval(tx, type, approval, { content: judged.content, findings })
            return { status: 200, body: null }
          },
          { answerLater: true },
        )
        .catch(async (error: unknown) => {
          if (!(error instanceof WorkError) || error.code !== 'content_changed') throw error
          const { content } = await readJudged(context, input.order)
          throw new WorkError('content_changed', sinceShown(await lastShown(context, input.order), content))
        })
    const leftMs = countdown(tools.settings.approveWaitMs)
    return (await appliedHere(context, input.order, leftMs)) ?? awaitApplied(context, input.order, leftMs)
  },
  resume: (context, input) => awaitApplied(context, input.order, countdown(context.tools.settings.approveWaitMs)),
})
