/** Orders: reading, locking, guarded moves. */
import { type Next, orderMachine, type OrderState, statesTagged } from '@work-manager/contract'
import sql, { join, type Sql } from 'sql-template-tag'
import { inFairOrder } from '../../kernel/store/fair-order.ts'
import { MoveMissed } from '../../kernel/store/guarded-moves.ts'
import type { NewItem } from '../items/store.ts'
import { notPaused } from '../pauses/store.ts'
import type { Instant, Queryable, Tx } from '../../kernel/store/tx.ts'

export interface OrderRow {
  readonly id: string
  readonly type: string
  readonly type_version: number
  readonly state: OrderState
  readonly priority: number
  readonly revision: number
  readonly requested_by_principal: string
  readonly payload: unknown
  readonly meta: Record<string, unknown> | null
  readonly on_item_failure: 'fail_order' | 'proceed'
  readonly items_total: number
  readonly items_submitted: number
  readonly items_dead: number
  readonly approval_id: string | null
  readonly apply_attempts: number
  readonly traceparent: string | null
  readonly correlation_id: string | null
  readonly session_key: string | null
  readonly created_at: Instant
}
const columns = sql`o.id, o.type, o.type_version, o.state, o.priority, o.revision, o.requested_by_principal, o.payload, o.meta, o.on_item_failure,
  o.items_total, o.items_submitted, o.items_dead, o.approval_id, o.apply_attempts, o.traceparent, o.correlation_id, o.session_key, o.created_at`

/** An order as the functions that write it take it (migrations/routines/45_proposals.sql). */
export interface NewOrder {
  readonly id: string
  readonly type: string
  readonly type_version: number
  readonly priority: number
  readonly payload: unknown
  readonly meta: Readonly<Record<string, unknown>> | null
  readonly on_item_failure: 'fail_order' | 'proceed'
  readonly items_total: number
  readonly items: readonly NewItem[]
  /** How many seconds earlier its priority makes its items due. */
  readonly due_early: number
  /** Where its trace begins; null when nobody traces. */
  readonly traceparent: string | null
  readonly correlation_id: string
  readonly session_key: string | null
  readonly actor_type: string
  readonly actor_id: string | null
  readonly principal: string
  readonly request_id: string | null
  readonly trace_id: string | null
  readonly provenance_id: string | null
  readonly message?: string | undefined
}
/** What a payload must look like, by type. */
export type PayloadShapes = Readonly<Record<string, unknown>>

/** Writes orders with their items and events. */
export async function insertOrders(tx: Tx, orders: readonly NewOrder[], shapes: PayloadShapes, at: Instant): Promise<void> {
  await tx.query(
    sql`select wm.write_orders(${tx.tenantId}::uuid, ${at}::timestamptz, ${JSON.stringify(shapes)}::json, ${JSON.stringify(orders)}::json)`,
    'write_orders',
  )
}

export async function findOrder(q: Queryable, id: string): Promise<OrderRow | undefined> {
  const [row] = await q.query<OrderRow>(
    sql`select ${columns} from wm.orders o where o.tenant_id = wm.current_tenant() and o.id = ${id}`,
    'find_order',
  )
  return row
}

export async function hasOrdersOfType(q: Queryable, type: string): Promise<boolean> {
  const [row] = await q.query<{ found: boolean }>(
    sql`select exists (select from wm.orders o where o.tenant_id = wm.current_tenant() and o.type = ${type}) as found`,
  )
  return row!.found
}

/** Locks the order against every other writer of it until the transaction ends. Orders come before items in the lock order. */
export async function lockOrder(tx: Tx, id: string): Promise<OrderRow | undefined> {
  const [row] = await tx.query<OrderRow>(
    sql`select ${columns} from wm.orders o where o.tenant_id = ${tx.tenantId} and o.id = ${id} for no key update`,
    'lock_order',
  )
  return row
}

/** Several orders at once, locked in id order. */
export async function lockOrders(tx: Tx, ids: readonly string[]): Promise<OrderRow[]> {
  return tx.query<OrderRow>(
    sql`select ${columns} from wm.orders o where o.tenant_id = ${tx.tenantId} and o.id = any(${ids}) order by o.id for no key update`,
    'lock_orders',
  )
}

/** As lockOrder, but gives up at once when somebody else holds it. */
export async function tryLockOrder(tx: Tx, id: string): Promise<OrderRow | undefined> {
  const [row] = await tx.query<OrderRow>(
    sql`select ${columns} from wm.orders o where o.tenant_id = ${tx.tenantId} and o.id = ${id} for no key update skip locked`,
    'try_lock_order',
  )
  return row
}

export interface OrderChanges {
  readonly revision?: number
  readonly itemsSubmitted?: number
  readonly itemsDead?: number
  readonly approvalId?: string | null
  readonly applyAttempts?: number
  readonly lastApplyError?: unknown
  readonly appliedAt?: Instant
  readonly completedAt?: Instant
}

/** Guarded move of an order that the caller has locked and seen in `from`. Only moves of the machine compile. Throws: MoveMissed. */
export async function moveOrder<From extends OrderState>(
  tx: Tx,
  id: string,
  from: From,
  to: Next<typeof orderMachine, From>,
  at: Instant,
  changes: OrderChanges = {},
): Promise<void> {
  const sets: Sql[] = [sql`state = ${to}`, sql`last_transitioned_at = ${at}`, sql`updated_at = ${at}`]
  if (changes.revision !== undefined) sets.push(sql`revision = ${changes.revision}`)
  if (changes.itemsSubmitted !== undefined) sets.push(sql`items_submitted = ${changes.itemsSubmitted}`)
  if (changes.itemsDead !== undefined) sets.push(sql`items_dead = ${changes.itemsDead}`)
  if (changes.approvalId !== undefined) sets.push(sql`approval_id = ${changes.approvalId}`)
  if (changes.applyAttempts !== undefined) sets.push(sql`apply_attempts = ${changes.applyAttempts}`)
  if (changes.lastApplyError !== undefined)
    sets.push(sql`last_apply_error = ${changes.lastApplyError === null ? null : JSON.stringify(changes.lastApplyError)}::json`)
  if (changes.appliedAt !== undefined) sets.push(sql`applied_at = ${changes.appliedAt}`)
  if (changes.completedAt !== undefined) sets.push(sql`completed_at = ${changes.completedAt}`)
  const rows = await tx.query(sql`
    update wm.orders set ${join(sets)} where tenant_id = ${tx.tenantId} and id = ${id} and state = ${from} returning id`)
  if (rows.length === 0) throw new MoveMissed('order', [id], from, to)
}

/** Orders of a principal that are neither completed nor ended otherwise; counts no further than `most`. */
export async function countOpenOrders(q: Queryable, principal: string, most: number): Promise<number> {
  const [row] = await q.query<{ n: number }>(
    sql`
    select count(*)::int as n
      from (select from wm.orders o where o.tenant_id = wm.current_tenant() and o.state = any (${statesTagged(orderMachine, 'watched')})
               and o.requested_by_principal = ${principal} limit ${most}) open`,
    'count_open_orders',
  )
  return row!.n
}

/** The order as wire JSON. */
export async function renderOrder(q: Queryable, id: string): Promise<string | undefined> {
  const [row] = await q.query<{ json: string }>(
    sql`select wm.order_json(o)::text as json from wm.orders o where o.tenant_id = wm.current_tenant() and o.id = ${id}`,
    'render_order',
  )
  return row?.json
}

/** Records how many items the plan made; only on an order that has none. */
export async function setItemsTotal(tx: Tx, id: string, total: number, at: Instant): Promise<void> {
  await tx.query(
    sql`update wm.orders set items_total = ${total}, updated_at = ${at} where tenant_id = ${tx.tenantId} and id = ${id} and items_total = 0`,
    'set_items_total',
  )
}

/** Writes counters without moving the order. The caller holds its lock. */
export async function setItemsDead(tx: Tx, id: string, dead: number, at: Instant): Promise<void> {
  await tx.query(
    sql`update wm.orders set items_dead = ${dead}, updated_at = ${at} where tenant_id = ${tx.tenantId} and id = ${id}`,
    'set_items_dead',
  )
}

export interface OrderAddress {
  readonly tenant_id: string
  readonly id: string
  readonly type: string
  readonly state: OrderState
  readonly last_transitioned_at: Instant
  readonly correlation_id: string | null
  readonly session_key: string | null
}

/** Open orders of all tenants that have not moved for `hours` and were not reported since they stopped. */
export async function findStaleOrders(q: Queryable, hours: number, limit: number): Promise<OrderAddress[]> {
  return q.query(
    sql`
    select o.tenant_id, o.id, o.type, o.state, o.last_transitioned_at, o.correlation_id, o.session_key from wm.orders o
     where wm.order_is_watched(o.state)
       and o.last_transitioned_at < clock_timestamp() - make_interval(secs => ${hours * 3600})
       and (o.stale_alerted_at is null or o.stale_alerted_at < o.last_transitioned_at)
     order by o.last_transitioned_at limit ${limit}`,
    'find_stale_orders',
  )
}

/** Marks the standstill that began at `since` as reported; false when the order moved or was reported meanwhile. */
export async function markStale(tx: Tx, id: string, since: Instant, at: Instant): Promise<boolean> {
  const rows = await tx.query(
    sql`
    update wm.orders set stale_alerted_at = ${at}
     where tenant_id = ${tx.tenantId} and id = ${id} and last_transitioned_at = ${since}
       and (stale_alerted_at is null or stale_alerted_at < last_transitioned_at) returning id`,
    'mark_stale',
  )
  return rows.length === 1
}

const waitingOrders = {
  from: sql`wm.orders o`,
  tenant: sql`o.tenant_id`,
  by: sql`o.last_transitioned_at`,
  columns: sql`o.tenant_id, o.id, o.type, o.state, o.last_transitioned_at, o.correlation_id, o.session_key`,
}

/** Approved orders of all tenants that nothing pauses, tenant by tenant in turn. */
export function findApprovedOrders(q: Queryable, limit: number): Promise<OrderAddress[]> {
  return inFairOrder(q, { ...waitingOrders, name: 'find_approved_orders', among: sql`o.state = 'approved'`, where: notPaused, limit })
}

/** Submitted orders of these types, of all tenants, whose automatic approval was not tried and which nothing pauses; in turn. */
export function findUndecidedOrders(q: Queryable, types: readonly string[], limit: number): Promise<OrderAddress[]> {
  return inFairOrder(q, {
    ...waitingOrders,
    name: 'find_undecided_orders',
    among: sql`o.state = 'submitted' and o.auto_approval_tried_revision < o.revision`,
    where: sql`o.type = any (${types}) and ${notPaused}`,
    limit,
  })
}

/** The automatic approval of this revision was tried; it is not tried again before a rework. */
export async function markAutoApprovalTried(tx: Tx, id: string, revision: number): Promise<boolean> {
  const rows = await tx.query(
    sql`
    update wm.orders set auto_approval_tried_revision = ${revision}
     where tenant_id = ${tx.tenantId} and id = ${id} and auto_approval_tried_revision < ${revision} returning id`,
    'mark_auto_approval_tried',
  )
  return rows.length === 1
}

/** Those of the names that any order of the tenant has: one look into an index for each. */
export async function findTypesWithOrders(q: Queryable, names: readonly string[]): Promise<string[]> {
  const rows = await q.query<{ type: string }>(
    sql`
    select t.type from unnest(${[...names]}::text[]) t(type)
     where exists (select from wm.orders o where o.tenant_id = wm.current_tenant() and o.type = t.type)`,
    'find_types_with_orders',
  )
  return rows.map((row) => row.type)
}
