/** What an order waits for, as counts: one query over its items and the members of the order that only this question needs. */
import sql from 'sql-template-tag'
import type { StuckItem } from './decide-waiting.ts'
import type { PauseInForce } from '../pauses/decide.ts'
import type { Queryable } from '../../kernel/store/tx.ts'

export interface OrderSituationRow {
  readonly ready: number
  readonly leased: number
  readonly submitted: number
  /** Failed, and the retry scheduler brings them back. */
  readonly retrying: number
  /** Failed or set aside, and nothing brings them back by itself. */
  readonly stuck: number
  /** The first of them, and how it failed. */
  readonly first_stuck: StuckItem | null
  /** Up to three. */
  readonly holders: readonly string[] | null
  readonly lease_ends_at: string | null
  readonly retry_at: string | null
  readonly last_apply_error: { readonly message?: string } | null
  readonly apply_attempts: number
  readonly created_at: string
  readonly last_transitioned_at: string
  /** The auto-approver has looked at this revision and did not approve it. */
  readonly auto_approval_tried: boolean
  readonly pause: PauseInForce | null
  /** Under a lease now, of the type and of the tenant, for the limits. */
  readonly leased_of_type: number
  readonly leased_of_tenant: number
}

/** The events, or undefined when there is no such order. */
export async function findOrderSituation(q: Queryable, orderId: string): Promise<OrderSituationRow | undefined> {
  const [row] = await q.query<OrderSituationRow>(
    sql`
    select i.*, to_char(o.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at,
           to_char(o.last_transitioned_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as last_transitioned_at, o.last_apply_error, o.apply_attempts, o.auto_approval_tried_revision >= o.revision as auto_approval_tried,
           wm.pause_in_force(o.tenant_id, null, null, o.type) as pause, l.*
      from wm.orders o cross join lateral (
        select count(*) filter (where state = 'queued')::integer as ready,
               count(*) filter (where wm.item_is_held(state))::integer as leased,
               count(*) filter (where state = 'submitted')::integer as submitted,
               count(*) filter (where state = 'failed' and available_at is not null)::integer as retrying,
               count(*) filter (where state = 'failed' and available_at is null or state = 'dead_lettered')::integer as stuck,
               (array_agg(json_build_object('id', id, 'attempts', attempts, 'error', error) order by error ->> 'code' = 'order_failed', ordinal)
                  filter (where state = 'failed' and available_at is null or state = 'dead_lettered'))[1] as first_stuck,
               (array_agg(distinct leased_by_agent_id) filter (where leased_by_agent_id is not null))[1:3] as holders,
               to_char(min(lease_expires_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as lease_ends_at,
               to_char(min(available_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as retry_at
          from wm.items where tenant_id = o.tenant_id and order_id = o.id) i
      cross join lateral (
        select count(*)::integer as leased_of_tenant, count(*) filter (where order_type = o.type)::integer as leased_of_type
          from wm.items where tenant_id = o.tenant_id and leased) l
     where o.tenant_id = wm.current_tenant() and o.id = ${orderId}`,
    'find_waiting_facts',
  )
  return row
}
