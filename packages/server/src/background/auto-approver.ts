/** Approves full orders of types with `autoApprove` when their checks pass; when they do not, that is an event and the order waits for a person. */
import { WorkError } from '@work-manager/contract'
import type { Services } from '../operations/services.ts'
import { decideApproval } from '../operations/work/approving.ts'
import { loadDecisionContent, readinessFindings } from '../operations/work/decision-content.ts'
import { topics } from '../signals/work-signal.ts'
import { appendEvents, systemActor } from '../store/events.ts'
import { findOrder, findWaitingOrders, lockOrder, markAutoApprovalTried } from '../store/orders.ts'
import type { ServiceDefinition } from './service.ts'

const batch = 50
const actor = systemActor('auto-approver')

export function autoApprover(services: Services): ServiceDefinition {
  const { db, system, types, signal, log } = services
  const automatic = types.list().filter((type) => type.autoApprove)

  async function approve(tenantId: string, orderId: string): Promise<boolean> {
    const judged = await db.read(tenantId, async (q) => {
      const row = await findOrder(q, orderId)
      return row && { row, content: await loadDecisionContent(q, tenantId, row) }
    })
    const type = judged && types.get(judged.row.type)
    if (!judged || !type) return false
    const policy = {
      policy: 'autoApprove',
      type: type.type,
      version: type.version,
      checks: ['canApprove', ...type.verify.map((check) => check.name)],
    }
    try {
      const findings = readinessFindings(type, judged.content)
      await db.transaction(tenantId, async (tx) => {
        await decideApproval(
          tx,
          type,
          { orderId, actor, decider: { principal: actor.principal, kind: 'system' }, digest: null, policy },
          { content: judged.content, findings },
        )
        await markAutoApprovalTried(tx, orderId, judged.row.revision)
      })
      signal.wake(topics.approved)
      return true
    } catch (error) {
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
            orderId,
            orderType: order.type,
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
    async run() {
      if (automatic.length === 0) return { done: 0, more: false }
      const waiting = await findWaitingOrders(
        system,
        'submitted',
        automatic.map((type) => type.type),
        batch,
      )
      let done = 0
      for (const order of waiting) {
        try {
          if (await approve(order.tenant_id, order.id)) done++
        } catch (error) {
          log.error({ err: error, order_id: order.id }, 'automatic approval could not run; it will be tried again')
        }
      }
      if (done > 0) signal.wake(topics.facts)
      return { done, more: done === batch }
    },
  }
}
