/** Items: reading, locking, guarded moves outside the hot path. */
import { itemIs, type itemMachine, type ItemState, type Next } from '@work-manager/contract'
import sql, { type Sql, join } from 'sql-template-tag'
import { inFairOrder } from '../../kernel/store/fair-order.ts'
import { MoveMissed } from '../../kernel/store/guarded-moves.ts'
import type { DroppedBy } from '../leases/decide-drop.ts'
import type { Instant, Queryable, Tx } from '../../kernel/store/tx.ts'

export interface ItemRow {
  readonly id: string
  readonly order_id: string
  readonly ordinal: number
  readonly type: string
  readonly order_type: string
  readonly state: ItemState
  readonly attempts: number
  readonly max_attempts: number
  readonly generation: string
  readonly lease_token: string | null
  readonly require_token: boolean
  readonly leased_by_agent_id: string | null
  readonly leased_by_principal: string | null
  readonly lease_expires_at: Instant | null
  /** When the latest lease began. */
  readonly leased_at: Instant | null
  readonly updated_at: Instant
  readonly dropped_by: DroppedBy | null
  readonly submission_number: number
  readonly input: unknown
  readonly error: unknown
  /** Of the order, see leaseTraceparent. */
  readonly traceparent: string | null
  readonly correlation_id: string | null
  readonly session_key: string | null
}
const columns = sql`i.id, i.order_id, i.ordinal, i.type, i.order_type, i.state, i.attempts, i.max_attempts, i.generation, i.lease_token, i.require_token,
  i.leased_by_agent_id, i.leased_by_principal, i.lease_expires_at, i.leased_at, i.updated_at, i.dropped_by, i.submission_number, i.input, i.error, i.traceparent, i.correlation_id, i.session_key`

export interface NewItem {
  readonly id: string
  readonly ordinal: number
  readonly type: string
  readonly input: unknown
  readonly maxAttempts: number
  readonly leaseTtlSeconds: number
  readonly maxLeaseSeconds: number
  readonly requireToken: boolean
  readonly recordHeartbeats: boolean
  readonly partsRequired: readonly string[] | null
}

/** Items of an order that has none yet. `due_early`: how many seconds its priority makes them due before their time. */
export async function insertItems(
  tx: Tx,
  order: {
    readonly id: string
    readonly type: string
    readonly priority: number
    readonly due_early: number
    readonly traceparent: string | null
    readonly correlation_id: string | null
    readonly session_key: string | null
    readonly items: readonly NewItem[]
  },
  at: Instant,
): Promise<void> {
  await tx.query(sql`select wm.write_items(${tx.tenantId}::uuid, ${at}::timestamptz, ${JSON.stringify([order])}::json)`, 'write_items')
}

export async function findItem(q: Queryable, id: string): Promise<ItemRow | undefined> {
  const [row] = await q.query<ItemRow>(
    sql`select ${columns} from wm.items i where i.tenant_id = wm.current_tenant() and i.id = ${id}`,
    'find_item',
  )
  return row
}

/** What never changes about an item; safe to keep in memory. */
export interface ItemBrief {
  readonly id: string
  readonly order_id: string
  readonly type: string
  readonly input: unknown
  readonly traceparent: string | null
}
export async function findItemBrief(q: Queryable, id: string): Promise<ItemBrief | undefined> {
  const [row] = await q.query<ItemBrief>(
    sql`select i.id, i.order_id, i.type, i.input, i.traceparent from wm.items i where i.tenant_id = wm.current_tenant() and i.id = ${id}`,
    'find_item_brief',
  )
  return row
}

/** The item as it is now, and what the clock of the database says; nothing is locked. */
export async function findItemNow(q: Queryable, id: string): Promise<(ItemRow & { readonly decided_at: Instant }) | undefined> {
  const [row] = await q.query<ItemRow & { readonly decided_at: Instant }>(
    sql`select ${columns}, clock_timestamp() as decided_at from wm.items i where i.tenant_id = wm.current_tenant() and i.id = ${id}`,
    'find_item_now',
  )
  return row
}

export async function lockItem(tx: Tx, id: string): Promise<ItemRow | undefined> {
  const [row] = await tx.query<ItemRow>(
    sql`select ${columns} from wm.items i where i.tenant_id = ${tx.tenantId} and i.id = ${id} for no key update`,
    'lock_item',
  )
  return row
}

/** All items of the order, locked in id order. */
export async function lockItemsOfOrder(tx: Tx, orderId: string): Promise<ItemRow[]> {
  return tx.query<ItemRow>(
    sql`select ${columns} from wm.items i where i.tenant_id = ${tx.tenantId} and i.order_id = ${orderId} order by i.id for no key update`,
    'lock_items_of_order',
  )
}

export interface ItemChanges {
  readonly error?: unknown
  readonly rework?: unknown
  readonly partsState?: unknown
  /** Seconds from `at` until the retry scheduler may act; null: never by itself. */
  readonly retryInSeconds?: number | null
  readonly attempts?: number
  /** Who let the item go; null: nobody any more. */
  readonly droppedBy?: DroppedBy | null
  readonly acceptedAt?: Instant
}

/**
 * Guarded move of items that the caller has locked and seen in `from`. A move out of a lease ends the lease: its columns are cleared,
 * the generation stays, so no later grant can bear an older token. Only moves of the machine compile. Throws: MoveMissed.
 */
export async function moveItems<From extends ItemState>(
  tx: Tx,
  ids: readonly string[],
  from: From,
  to: Next<typeof itemMachine, From>,
  at: Instant,
  changes: ItemChanges = {},
): Promise<void> {
  if (ids.length === 0) return
  const sets: Sql[] = [sql`state = ${to}`, sql`updated_at = ${at}`]
  if (to !== 'in_progress')
    sets.push(sql`lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null`)
  if (from === 'failed') sets.push(sql`available_at = null`)
  else if (to === 'failed' && typeof changes.retryInSeconds === 'number')
    sets.push(sql`available_at = ${at}::timestamptz + make_interval(secs => ${changes.retryInSeconds})`)
  if (changes.attempts !== undefined) sets.push(sql`attempts = ${changes.attempts}`)
  if (changes.droppedBy !== undefined)
    sets.push(sql`dropped_by = ${changes.droppedBy === null ? null : JSON.stringify(changes.droppedBy)}::jsonb`)
  if (changes.acceptedAt !== undefined) sets.push(sql`accepted_at = ${changes.acceptedAt}`)
  for (const [column, value] of [
    ['error', changes.error],
    ['rework', changes.rework],
    ['parts_state', changes.partsState],
  ] as const) {
    if (value === undefined) continue
    const text = value === null ? null : JSON.stringify(value)
    sets.push(
      column === 'error'
        ? sql`error = ${text}::json`
        : column === 'rework'
          ? sql`rework = ${text}::json`
          : sql`parts_state = ${text}::json`,
    )
  }
  const rows = await tx.query<{ id: string }>(sql`
    update wm.items set ${join(sets)}
     where tenant_id = ${tx.tenantId} and id = any(${ids}) and state = ${from} returning id`)
  if (rows.length !== ids.length) {
    const moved = new Set(rows.map((row) => row.id))
    throw new MoveMissed(
      'item',
      ids.filter((id) => !moved.has(id)),
      from,
      to,
    )
  }
  if (to !== 'in_progress' && itemIs.held(from)) tx.changedLeases.push(...ids)
}

/**
 * Writes the events of a live lease that do not move the item: guarded by the token as well. Returns whether it happened. `progress`: the
 * lease may grow as old again from here.
 */
export async function noteOnLeasedItem(
  tx: Tx,
  item: ItemRow,
  at: Instant,
  changes: { error?: unknown; partsState?: unknown; progress?: boolean },
): Promise<boolean> {
  const sets: Sql[] = [sql`updated_at = ${at}`]
  if (changes.error !== undefined) sets.push(sql`error = ${changes.error === null ? null : JSON.stringify(changes.error)}::json`)
  if (changes.partsState !== undefined) sets.push(sql`parts_state = ${JSON.stringify(changes.partsState)}::json`)
  if (changes.progress) sets.push(sql`lease_ends_by = ${at}::timestamptz + make_interval(secs => max_lease_seconds)`)
  const rows = await tx.query(sql`
    update wm.items set ${join(sets)}
     where tenant_id = ${tx.tenantId} and id = ${item.id} and lease_token = ${item.lease_token} and state = ${item.state} returning id`)
  return rows.length === 1
}

const withLatestSubmission = sql`
  left join wm.submissions s on s.tenant_id = i.tenant_id and s.item_id = i.id and s.number = i.submission_number`

export async function renderItem(q: Queryable, id: string): Promise<string | undefined> {
  const [row] = await q.query<{ json: string }>(
    sql`select wm.item_json(i, s)::text as json from wm.items i ${withLatestSubmission} where i.tenant_id = wm.current_tenant() and i.id = ${id}`,
    'render_item',
  )
  return row?.json
}

/** Item JSON by order, in plan order, or these members of it: the first `perOrder` of each, because an order may hold thousands of items with big documents. */
export async function renderItemsOfOrders(
  q: Queryable,
  orderIds: readonly string[],
  perOrder: number,
  members?: readonly string[],
): Promise<Array<{ order_id: string; json: string }>> {
  if (orderIds.length === 0) return []
  // Chosen here: what nobody asked for is not sent to us either.
  const json = members
    ? sql`(select coalesce(json_object_agg(m.key, m.value), '{}') from json_each(wm.item_json(i, s)) m where m.key = any (${members}))`
    : sql`wm.item_json(i, s)`
  return q.query(sql`
    select i.order_id, (${json})::text as json from wm.items i ${withLatestSubmission}
     where i.tenant_id = wm.current_tenant() and i.order_id = any(${orderIds as string[]}) and i.ordinal < ${perOrder}
     order by i.order_id, i.ordinal`)
}

/** One page of an order's items (keyset by ordinal), or of a tenant's items by state (keyset by id). */
export async function pageItems(
  q: Queryable,
  filter: { orderId?: string; state?: string; type?: string; agentId?: string },
  limit: number,
  after?: { ordinal: number } | { id: string },
): Promise<Array<{ id: string; ordinal: number; json: string }>> {
  const wheres = [sql`i.tenant_id = wm.current_tenant()`]
  if (filter.orderId) wheres.push(sql`i.order_id = ${filter.orderId}`)
  if (filter.state) wheres.push(sql`i.state = ${filter.state}`)
  if (filter.type) wheres.push(sql`i.type = ${filter.type}`)
  if (filter.agentId) wheres.push(sql`i.leased_by_agent_id = ${filter.agentId}`)
  if (after && 'ordinal' in after) wheres.push(sql`i.ordinal > ${after.ordinal}`)
  if (after && 'id' in after) wheres.push(sql`i.id > ${after.id}`)
  return q.query(sql`
    select i.id, i.ordinal, wm.item_json(i, s)::text as json from wm.items i ${withLatestSubmission}
     where ${join(wheres, ' and ')} order by ${filter.orderId ? sql`i.ordinal` : sql`i.id`} limit ${limit}`)
}

export interface DecisionItem {
  readonly id: string
  readonly ordinal: number
  readonly state: ItemState
  readonly input: unknown
  readonly result: unknown
  readonly evidence: unknown
  readonly notes: string | null
}

const maxOrdinal = 2 ** 31 - 1

/** Items with their latest submission, as approve and apply read them. */
export async function loadDecisionItems(q: Queryable, orderId: string, range = { from: 0, through: maxOrdinal }): Promise<DecisionItem[]> {
  return q.query(
    sql`
    select i.id, i.ordinal, i.state, i.input, s.result, s.evidence, s.notes
      from wm.items i ${withLatestSubmission}
     where i.tenant_id = wm.current_tenant() and i.order_id = ${orderId} and i.ordinal between ${range.from} and ${range.through} order by i.ordinal`,
    'load_decision_items',
  )
}

/** Fails with the constraint `order_too_large` when its documents are too large to be loaded together. */
export async function assertOrderFits(q: Queryable, orderId: string): Promise<void> {
  await q.query(sql`select wm.assert_order_fits(wm.current_tenant(), ${orderId}::uuid)`, 'assert_order_fits')
}

/** How large the documents of each item are, without reading them. */
export async function sizeDecisionItems(q: Queryable, orderId: string): Promise<Array<{ ordinal: number; bytes: number }>> {
  return q.query(
    sql`
    select i.ordinal, octet_length(i.input::text) + coalesce(octet_length(s.result::text), 0) + coalesce(octet_length(s.evidence::text), 0) as bytes
      from wm.items i ${withLatestSubmission}
     where i.tenant_id = wm.current_tenant() and i.order_id = ${orderId} order by i.ordinal`,
    'size_decision_items',
  )
}

/** Principals that ever handed in or held any of the order, in every revision: they do not decide about it. */
export async function findWorkers(q: Queryable, orderId: string): Promise<{ submittedBy: string[]; heldBy: string[] }> {
  const [row] = await q.query<{ submitted: string[]; held: string[] }>(
    sql`
    select array(select s.submitted_by_principal from wm.submissions s where s.tenant_id = wm.current_tenant() and s.order_id = ${orderId}
                 union select p.submitted_by_principal from wm.parts p join wm.items i on i.tenant_id = p.tenant_id and i.id = p.item_id
                        where i.tenant_id = wm.current_tenant() and i.order_id = ${orderId}) as submitted,
           array(select e.principal from wm.events e
                  where e.tenant_id = wm.current_tenant() and e.root_id = ${orderId} and e.kind = 'item.leased'
                 union select u.principal from wm.unnumbered u
                  where u.tenant_id = wm.current_tenant() and u.root_id = ${orderId} and u.kind = 'item.leased') as held`,
    'find_workers',
  )
  return { submittedBy: row!.submitted, heldBy: row!.held }
}

/** How many items of the order are under a lease, and how many are handed in. */
export async function countOpenItems(q: Queryable, orderId: string): Promise<{ leased: number; submitted: number; open: number }> {
  const [row] = await q.query<{ leased: number; submitted: number; open: number }>(
    sql`
    select count(*) filter (where wm.item_is_held(i.state))::int as leased, count(*) filter (where i.state = 'submitted')::int as submitted,
           count(*) filter (where not wm.item_is_closed(i.state))::int as open
      from wm.items i where i.tenant_id = wm.current_tenant() and i.order_id = ${orderId}`,
    'count_open_items',
  )
  return row!
}

export interface ItemAddress {
  readonly tenant_id: string
  readonly order_id: string
  readonly id: string
}

/** Leases of all tenants that ran out, tenant by tenant in turn. */
export function findExpiredLeases(q: Queryable, limit: number): Promise<ItemAddress[]> {
  return inFairOrder(q, {
    name: 'find_expired_leases',
    from: sql`wm.items i`,
    tenant: sql`i.tenant_id`,
    among: sql`i.leased`,
    where: sql`i.lease_expires_at < clock_timestamp()`,
    by: sql`i.lease_expires_at`,
    columns: sql`i.tenant_id, i.order_id, i.id`,
    limit,
  })
}

const failedOfOpenOrders = {
  from: sql`wm.items i`,
  tenant: sql`i.tenant_id`,
  among: sql`i.failed`,
  join: sql`join wm.orders o on o.tenant_id = i.tenant_id and o.id = i.order_id and wm.order_is_open(o.state)`,
  columns: sql`i.tenant_id, i.order_id, i.id`,
}

/** Failed items of all tenants whose backoff is over, tenant by tenant in turn. */
export function findDueRetries(q: Queryable, limit: number): Promise<ItemAddress[]> {
  return inFairOrder(q, {
    ...failedOfOpenOrders,
    name: 'find_due_retries',
    where: sql`i.available_at <= clock_timestamp()`,
    by: sql`i.available_at`,
    limit,
  })
}

/**
 * Failed items that no retry will bring back, tenant by tenant in turn: those whose order fails with them, at once, and those that have
 * rested for `afterHours`.
 */
export function findFinalFailures(q: Queryable, afterHours: number, limit: number): Promise<ItemAddress[]> {
  return inFairOrder(q, {
    ...failedOfOpenOrders,
    join: sql`join wm.orders o on o.tenant_id = i.tenant_id and o.id = i.order_id and (wm.order_is_open(o.state) or o.state = 'failed')`,
    name: 'find_final_failures',
    where: sql`i.available_at is null and (wm.order_is_open(o.state) and o.on_item_failure = 'fail_order'
      or i.updated_at <= clock_timestamp() - make_interval(secs => ${afterHours * 3600}))`,
    by: sql`i.updated_at`,
    limit,
  })
}
