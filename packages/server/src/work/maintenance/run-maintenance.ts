import Type from 'typebox'
import { topics } from '../topics.ts'
import { systemActor } from '../../kernel/store/events.ts'
import { findExpiredLeases, findFinalFailures } from '../items/store.ts'
import { findStaleOrders } from '../orders/store.ts'
import type { Queryable } from '../../kernel/store/tx.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { defineOperation, type WorkContext } from '../tools.ts'
import { alertStaleOrder } from '../orders/alert-stale-order.ts'
import { fileDeadLetter } from '../items/file-dead-letter.ts'
import { reclaimLease } from '../leases/reclaim-lease.ts'

const batch = 100
const count = (description: string) =>
  Type.Union([Type.Null(), Type.Integer({ minimum: 0 })], { description: `${description}; null: not asked for.` })

/** Handles what is found, batch by batch, until a batch brings nothing new: what is in use is left to the server. */
async function sweep<T>(context: WorkContext, find: (q: Queryable) => Promise<T[]>, handle: (one: T) => Promise<boolean>): Promise<number> {
  let done = 0
  for (;;) {
    const found = await context.read(find)
    let handled = 0
    for (const one of found) if (await handle(one)) handled++
    done += handled
    if (handled === 0 || found.length < batch || context.signal.aborted) return done
  }
}

/** The finders look across tenants for the background services; read as the caller's tenant they see only its own rows. */
export const runMaintenance = defineOperation({
  name: 'run_maintenance',
  summary: 'Do the housekeeping of the tenant once, without waiting for the server: all of it, or what is named.',
  http: { method: 'POST', path: '/maintenance', success: 200 },
  ability: 'admin:maintenance',
  peopleOnly: true,
  waits: true,
  idempotency: 'none',
  refuses: [],
  command: { words: 'maintain', byHand: true },
  tool: 'administration is not an agent’s work',
  input: Type.Object({
    reclaim_leases: Type.Optional(Type.Boolean({ description: 'Take back leases that have run out.' })),
    dead_letter: Type.Optional(Type.Boolean({ description: 'Set aside what failed for good.' })),
    check_stale: Type.Optional(Type.Boolean({ description: 'Report orders that do not move.' })),
  }),
  output: Type.Object({
    leases_reclaimed: count('Leases taken back'),
    dead_lettered: count('Failures set aside'),
    stale_reported: count('Orders reported'),
  }),
  async handler(context, input) {
    const { tools } = context
    const { deadLetterAfterHours, staleThresholdHours } = tools.settings
    const everything = !input.reclaim_leases && !input.dead_letter && !input.check_stale
    const actor = actorOf(context)
    const body = {
      leases_reclaimed:
        everything || input.reclaim_leases
          ? await sweep(
              context,
              (q) => findExpiredLeases(q, batch),
              (lease) => reclaimLease(tools, lease, actor),
            )
          : null,
      dead_lettered:
        everything || input.dead_letter
          ? await sweep(
              context,
              (q) => findFinalFailures(q, deadLetterAfterHours, batch),
              (failure) => fileDeadLetter(tools, failure, actor, deadLetterAfterHours),
            )
          : null,
      stale_reported:
        everything || input.check_stale
          ? await sweep(
              context,
              (q) => findStaleOrders(q, staleThresholdHours, batch),
              (order) => alertStaleOrder(tools, order, staleThresholdHours, systemActor('stale-order-alert')),
            )
          : null,
    }
    for (const topic of [topics.events, topics.failed, topics.submitted, topics.ready(context.principal.tenantId)]) tools.signal.wake(topic)
    return { status: 200, body }
  },
})
