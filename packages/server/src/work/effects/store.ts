/** Outside effects: declared in the applying transaction, carried out after it, with receipts. */
import sql from 'sql-template-tag'
import type { DeliveryOutcome } from '../../kernel/delivery.ts'
import { inFairOrder } from '../../kernel/store/fair-order.ts'
import { notPaused } from '../pauses/store.ts'
import type { Queryable, Tx } from '../../kernel/store/tx.ts'

export interface NewEffect {
  readonly id: string
  readonly orderId: string
  readonly name: string
  readonly key: string
  readonly input: unknown
  readonly deduplicates: boolean
  /** Of the apply that declared it. */
  readonly traceparent: string | null
}

/** Effect JSON of an order, oldest first. */
export async function renderEffects(q: Queryable, orderId: string): Promise<Array<{ json: string }>> {
  return q.query<{ json: string }>(
    sql`
    select json_build_object('id', f.id, 'name', f.name, 'key', f.key, 'state', f.state, 'attempts', f.attempts, 'input', f.input, 'receipt', f.receipt,
             'last_error', f.last_error, 'created_at', wm.wire_time(f.created_at), 'updated_at', wm.wire_time(f.updated_at))::text as json
      from wm.effects f where f.tenant_id = wm.current_tenant() and f.order_id = ${orderId} order by f.id`,
    'render_effects',
  )
}

export interface DueEffect {
  readonly tenant_id: string
  readonly id: string
  readonly order_id: string
  readonly order_type: string
  readonly correlation_id: string | null
  readonly session_key: string | null
  /** The decision that let the order be applied. */
  readonly approval_id: string | null
  readonly name: string
  readonly key: string
  readonly input: unknown
  readonly deduplicates: boolean
  readonly attempts: number
  readonly traceparent: string | null
}

export interface EffectAddress {
  readonly tenant_id: string
  readonly id: string
  readonly order_id: string
  readonly order_type: string
  readonly correlation_id: string | null
  readonly session_key: string | null
  /** The decision that let the order be applied. */
  readonly approval_id: string | null
  readonly name: string
  readonly key: string
}
const openEffects = {
  from: sql`wm.effects f`,
  tenant: sql`f.tenant_id`,
  among: sql`f.state in ('pending', 'running')`,
  join: sql`join wm.orders o on o.tenant_id = f.tenant_id and o.id = f.order_id`,
  by: sql`f.available_at`,
  columns: sql`f.tenant_id, f.id, f.order_id, o.type as order_type, o.correlation_id, o.session_key, o.approval_id, f.name, f.key`,
}

/**
 * Due effects of all tenants that nothing pauses, tenant by tenant in turn. A `running` one whose hold ran out lost its runner: its outcome
 * is unknown, so it is due again only when the target ignores repeats; `findLostEffects` finds the others.
 */
export function findDueEffects(q: Queryable, limit: number): Promise<EffectAddress[]> {
  return inFairOrder(q, {
    ...openEffects,
    name: 'find_due_effects',
    where: sql`f.available_at <= clock_timestamp() and (f.state = 'pending' or f.deduplicates) and ${notPaused}`,
    limit,
  })
}

/** Takes a due effect for `holdSeconds`; undefined when somebody else has it. */
export async function takeEffect(tx: Tx, id: string, holdSeconds: number): Promise<DueEffect | undefined> {
  const [row] = await tx.query<DueEffect>(
    sql`
    update wm.effects f set state = 'running', attempts = f.attempts + 1, updated_at = clock_timestamp(),
           available_at = clock_timestamp() + make_interval(secs => ${holdSeconds})
      from (select e.tenant_id, e.id from wm.effects e
             where e.tenant_id = ${tx.tenantId} and e.id = ${id} and e.state in ('pending', 'running') and e.available_at <= clock_timestamp()
               and (e.state = 'pending' or e.deduplicates)
             for update skip locked) due,
           wm.orders o
     where f.tenant_id = due.tenant_id and f.id = due.id and o.tenant_id = f.tenant_id and o.id = f.order_id
    returning f.tenant_id, f.id, f.order_id, o.type as order_type, o.correlation_id, o.session_key, o.approval_id, f.name, f.key, f.input, f.deduplicates, f.attempts, f.traceparent`,
    'take_effect',
  )
  return row
}

/** Effects of all tenants whose runner vanished and whose target does not ignore repeats. */
export function findLostEffects(q: Queryable, limit: number): Promise<EffectAddress[]> {
  return inFairOrder(q, {
    ...openEffects,
    name: 'find_lost_effects',
    where: sql`f.state = 'running' and f.available_at <= clock_timestamp() and not f.deduplicates`,
    limit,
  })
}

/** Such an effect becomes `unknown`; false when somebody else marked it, or its runner came back in time. */
export async function markLostEffect(tx: Tx, id: string): Promise<boolean> {
  const rows = await tx.query(
    sql`
    update wm.effects set state = 'unknown', updated_at = clock_timestamp(),
           last_error = json_build_object('code', 'runner_lost', 'message', 'The process that carried out the effect vanished before it kept a receipt.')
     where tenant_id = ${tx.tenantId} and id = ${id} and state = 'running' and available_at <= clock_timestamp() and not deduplicates returning id`,
    'mark_lost_effect',
  )
  return rows.length === 1
}

/** Guarded end of an attempt: only the attempt that took the effect may finish it. */
export async function finishEffect(tx: Tx, effect: { id: string; attempts: number }, outcome: DeliveryOutcome): Promise<boolean> {
  const receipt = outcome.state === 'delivered' ? JSON.stringify(outcome.receipt ?? null) : null
  const error = outcome.state === 'delivered' ? null : JSON.stringify(outcome.error)
  const delay = outcome.state === 'pending' ? outcome.retryInSeconds : 0
  const rows = await tx.query(
    sql`
    update wm.effects set state = ${outcome.state}, receipt = ${receipt}::json, last_error = ${error}::json, updated_at = clock_timestamp(),
           available_at = clock_timestamp() + make_interval(secs => ${delay})
     where tenant_id = ${tx.tenantId} and id = ${effect.id} and state = 'running' and attempts = ${effect.attempts} returning id`,
    'finish_effect',
  )
  return rows.length === 1
}
