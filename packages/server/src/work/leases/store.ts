/** Leases as an operator looks at them: by holder, order, type and silence; extended outside the hot path. */
import sql, { join, type Sql } from 'sql-template-tag'
import type { ItemRow } from '../items/store.ts'
import type { Instant, Queryable, Tx } from '../../kernel/store/tx.ts'

export interface LeaseFilter {
  readonly agentId?: string | undefined
  /** An agent id, or the principal behind it (`service:crm`). */
  readonly holder?: string | undefined
  /** The principal alone, whatever agent id it named. */
  readonly principal?: string | undefined
  readonly orderId?: string | undefined
  readonly orderType?: string | undefined
  /** Only leases whose holder gave no sign of life for this long. */
  readonly silentForSeconds?: number | undefined
  readonly expired?: boolean
}

export type LeaseRow = Pick<
  ItemRow,
  | 'id'
  | 'order_id'
  | 'order_type'
  | 'state'
  | 'generation'
  | 'leased_by_agent_id'
  | 'leased_by_principal'
  | 'correlation_id'
  | 'session_key'
> & {
  readonly tenant_id: string
  readonly lease_expires_at: Instant
  readonly last_heartbeat_at: Instant | null
}
const columns = sql`i.tenant_id, i.id, i.order_id, i.order_type, i.state, i.generation, i.leased_by_agent_id, i.leased_by_principal, i.correlation_id, i.session_key, i.lease_expires_at, i.last_heartbeat_at`

function matching(filter: LeaseFilter): Sql {
  const wheres = [sql`i.tenant_id = wm.current_tenant()`, sql`i.leased`]
  if (filter.agentId !== undefined) wheres.push(sql`i.leased_by_agent_id = ${filter.agentId}`)
  if (filter.holder !== undefined) wheres.push(sql`${filter.holder} in (i.leased_by_agent_id, i.leased_by_principal)`)
  if (filter.principal !== undefined) wheres.push(sql`i.leased_by_principal = ${filter.principal}`)
  if (filter.orderId !== undefined) wheres.push(sql`i.order_id = ${filter.orderId}`)
  if (filter.orderType !== undefined) wheres.push(sql`i.order_type = ${filter.orderType}`)
  if (filter.silentForSeconds !== undefined)
    wheres.push(sql`i.last_heartbeat_at <= clock_timestamp() - make_interval(secs => ${filter.silentForSeconds})`)
  if (filter.expired !== undefined)
    wheres.push(filter.expired ? sql`i.lease_expires_at < clock_timestamp()` : sql`i.lease_expires_at >= clock_timestamp()`)
  return join(wheres, ' and ')
}

/** Candidates, those that end first first. What holds is judged under their locks. */
export function findLeases(q: Queryable, filter: LeaseFilter, limit: number): Promise<LeaseRow[]> {
  return q.query(sql`select ${columns} from wm.items i where ${matching(filter)} order by i.lease_expires_at, i.id limit ${limit}`)
}

/** Those of the items that still match, locked in id order. Their orders are locked before, when they are to move. */
export function lockLeases(tx: Tx, filter: LeaseFilter, ids: readonly string[]): Promise<LeaseRow[]> {
  return tx.query(
    sql`select ${columns} from wm.items i where ${matching(filter)} and i.id = any(${ids as string[]}) order by i.id for no key update`,
  )
}

/** Gives the leases until `at` plus `ttlSeconds`; one that lasts longer already keeps its end. The caller holds the items' locks. */
export async function extendLeases(tx: Tx, ids: readonly string[], at: Instant, ttlSeconds: number): Promise<ReadonlyMap<string, Instant>> {
  if (ids.length === 0) return new Map()
  const rows = await tx.query<{ id: string; lease_expires_at: Instant }>(sql`
    update wm.items
       set lease_expires_at = greatest(lease_expires_at, ${at}::timestamptz + make_interval(secs => ${ttlSeconds})),
           lease_ends_by = case when lease_ends_by is not null then greatest(lease_ends_by, ${at}::timestamptz + make_interval(secs => ${ttlSeconds})) end,
           updated_at = ${at}
     where tenant_id = ${tx.tenantId} and id = any(${ids}) and wm.item_is_held(state) returning id, lease_expires_at`)
  tx.changedLeases.push(...rows.map((row) => row.id))
  return new Map(rows.map((row) => [row.id, row.lease_expires_at]))
}
