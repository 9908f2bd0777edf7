/** Approves full orders of types with `autoApprove` when their checks pass; when they do not, that is an event and the order waits for a person. */
import { WorkError } from '@work-manager/contract'
import type { WorkTools } from '../tools.ts'
import { decideApproval } from './approving.ts'
import { type DecisionContent, loadDecisionContent, readinessFindings } from './decision-content.ts'
import type { OrderType } from '../order-types/define-order-type.ts'
import { topics } from '../topics.ts'
import { appendEvents, ofOrder, systemActor } from '../../kernel/store/events.ts'
import { findOrder, findUndecidedOrders, lockOrder, markAutoApprovalTried, type OrderRow } from '../orders/store.ts'
import { findSubmissionTraces } from '../items/submissions.store.ts'
import { attributesOf } from '../../tracing/attributes.ts'
import { traceIdOf } from '../../tracing/traceparent.ts'
import type { Span } from '../../tracing/tracing.ts'
import { type ServiceDefinition, sweep } from '../../kernel/service.ts'

const batch = 50

/** Not for a machine to decide: said on the order like any other reason, once. */
function tooLarge(error: unknown): WorkError {
  if (error instanceof WorkError && error.code === 'order_too_large') return error
  throw error
}

const service = 'auto-approver'

export function autoApprover(tools: WorkTools): ServiceDefinition {
  const { db, system, types, signal, log, tracing } = tools
  const automatic = types.list().filter((type) => type.autoApprove)

  async function approve(tenantId: string, orderId: string): Promise<boolean> {
    const judged = await db.read(tenantId, async (q) => {
      const row = await findOrder(q, orderId)
      return (
        row && {
          row,
          content: await loadDecisionContent(q, tenantId, row).catch(tooLarge),
          handedIn: tracing.isOn ? await findSubmissionTraces(q, row.id) : [],
        }
      )
    })
    const type = judged && types.get(judged.row.type)
    if (!judged || !type) return false
    const span = tracing.start('auto_approve', {
      parent: judged.row.traceparent,
      links: judged.handedIn,
      attributes: attributesOf({ orderId, orderType: judged.row.type }),
    })
    try {
      return await decide(tenantId, type, judged, span)
    } finally {
      span.end()
    }
  }

  async function decide(
    tenantId: string,
    type: OrderType,
    judged: { row: OrderRow; content: DecisionContent | WorkError },
    span: Span,
  ): Promise<boolean> {
    const { row, content } = judged
    const orderId = row.id
    const actor = systemActor(service, traceIdOf(span.traceparent))
    const policy = {
      policy: 'autoApprove',
      type: type.type,
      version: type.version,
      checks: ['canApprove', ...type.verify.map((check) => check.name)],
    }
    try {
      if (content instanceof WorkError) throw content
      const findings = readinessFindings(type, content)
      await db.transaction(tenantId, async (tx) => {
        await decideApproval(
          tx,
          type,
          {
            orderId,
            actor,
            decider: { principal: actor.principal, kind: 'system', keyId: null },
            digest: null,
            policy,
            traceparent: span.traceparent,
          },
          { content, findings },
        )
        await markAutoApprovalTried(tx, orderId, row.revision)
      })
      signal.wake(topics.approved)
      span.set(attributesOf({ outcome: 'approved' }))
      return true
    } catch (error) {
      span.set(attributesOf({ outcome: 'left to a person' }))
      if (error instanceof WorkError && ['busy', 'database_unavailable', 'content_changed'].includes(error.code)) throw error
      log.warn({ err: error, order_id: orderId, type: type.type }, 'automatic approval did not pass; the order waits for a person')
      return db.transaction(tenantId, async (tx) => {
        const order = await lockOrder(tx, orderId)
        if (order?.state !== 'submitted' || !(await markAutoApprovalTried(tx, orderId, order.revision))) return false
        const cause =
          error instanceof WorkError
            ? { code: error.code, message: error.message, errors: error.details.errors ?? [] }
            : { code: 'check_broke', message: 'The readiness check of the order type broke.' }
        await appendEvents(tx, actor, await tx.clock(), [
          {
            kind: 'order.auto_approval_failed',
            ...ofOrder(order),
            payload: { ...policy, ...cause },
            message: cause.message.slice(0, 500),
          },
        ])
        return true
      })
    }
  }

  return {
    name: 'auto-approver',
    everyMs: 1000,
    wakeOn: [topics.submitted],
    async run(round) {
      if (automatic.length === 0) return { done: 0, more: false }
      const waiting = await findUndecidedOrders(
        system,
        automatic.map((type) => type.type),
        batch,
      )
      const done = await sweep(waiting, { log, round }, (order) => approve(order.tenant_id, order.id))
      if (done > 0) signal.wake(topics.events)
      return { done, more: done === batch }
    },
  }
}
