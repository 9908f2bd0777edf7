/**
 * Pauses in force. Race-free by two advisory locks (`wm.share_pauses`): who grants, applies or sends holds them shared until its commit, who
 * pauses holds one exclusively; so after a pause is committed nothing of its scope is still on its way.
 */
import type { EventKind } from '@work-manager/contract'
import sql, { type Sql } from 'sql-template-tag'
import type { PauseInForce } from './decide.ts'
import type { Instant, Queryable, Tx } from '../../kernel/store/tx.ts'

export interface PauseTarget {
  readonly scope: 'agent' | 'type' | 'tenant'
  /** An agent id or a principal such as `service:crm`, an order type, or '' for the tenant. */
  readonly subject: string
}
export interface PauseRow {
  readonly scope: PauseInForce['scope']
  readonly subject: string
  readonly reason: string
  readonly principal: string
  readonly paused_at: Instant
}
/** Whose pauses are asked for; what is left out is not asked for. */
export interface PausedParty {
  readonly agentId?: string
  readonly principal?: string
  readonly type?: string
}

const asked = (tenantId: string, { agentId, principal, type }: PausedParty): Sql =>
  sql`${tenantId}::uuid, ${agentId ?? null}::text, ${principal ?? null}::text, ${type ?? null}::text`

/**
 * The widest pause that stops them; from here to the end of the transaction no pause comes in between. Before row locks where that can be.
 */
export async function sharePause(tx: Tx, party: PausedParty): Promise<PauseInForce | null> {
  const [row] = await tx.query<{ pause: PauseInForce | null }>(
    sql`select wm.share_pause(${asked(tx.tenantId, party)}) as pause`,
    'share_pause',
  )
  return row!.pause
}

/** The pause of this agent alone, whatever else is paused; held like sharePause. */
export async function shareAgentPause(tx: Tx, agentId: string, principal: string): Promise<PauseInForce | null> {
  const [row] = await tx.query<{ pause: PauseInForce | null }>(
    sql`select wm.share_agent_pause(${tx.tenantId}::uuid, ${agentId}, ${principal}) as pause`,
    'share_agent_pause',
  )
  return row!.pause
}

/** The pause that ended a lease on the item, or would end it. */
export async function findPauseOfItem(
  q: Queryable,
  tenantId: string,
  itemId: string,
  party: Pick<PausedParty, 'agentId' | 'principal'>,
): Promise<PauseInForce | null> {
  const [row] = await q.query<{ pause: PauseInForce | null }>(
    sql`select wm.pause_in_force(i.tenant_id, ${party.agentId ?? null}::text, ${party.principal ?? null}::text, i.order_type) as pause
          from wm.items i where i.tenant_id = ${tenantId} and i.id = ${itemId}`,
    'find_pause_of_item',
  )
  return row?.pause ?? null
}

/** Waits until nothing of the tenant is between its look at the pauses and its commit, and keeps newcomers waiting until ours. */
export async function lockPauses(tx: Tx): Promise<void> {
  await tx.query(sql`select pg_advisory_xact_lock(hashtextextended('wm.pauses|' || ${tx.tenantId}::uuid::text, 0))`)
}

/** A pause that is in force keeps its time and takes the new reason. */
export async function putPause(
  tx: Tx,
  target: PauseTarget,
  by: { reason: string; principal: string },
  at: Instant,
): Promise<{ pausedAt: Instant }> {
  const [row] = await tx.query<{ paused_at: Instant }>(sql`
    insert into wm.pauses (tenant_id, scope, subject, reason, principal, paused_at)
    values (${tx.tenantId}, ${target.scope}, ${target.subject}, ${by.reason}, ${by.principal}, ${at})
    on conflict (tenant_id, scope, subject) do update set reason = excluded.reason, principal = excluded.principal
    returning paused_at`)
  return { pausedAt: row!.paused_at }
}

/** The pause that ended, or undefined when there was none. */
export async function removePause(tx: Tx, target: PauseTarget): Promise<PauseRow | undefined> {
  const [row] = await tx.query<PauseRow>(sql`
    delete from wm.pauses p where p.tenant_id = ${tx.tenantId} and p.scope = ${target.scope} and p.subject = ${target.subject}
    returning p.scope, p.subject, p.reason, p.principal, p.paused_at`)
  return row
}

/** Every pause that the tenant feels, the widest first. */
export async function listPauses(q: Queryable): Promise<PauseRow[]> {
  return q.query(sql`
    select f.scope, f.subject, f.reason, f.principal, f.paused_at from (
      select 0 as place, 'everything' as scope, '' as subject, c.pause_reason as reason, c.paused_by as principal, c.paused_at
        from wm.cluster c where c.paused_at is not null
      union all
      select case p.scope when 'tenant' then 1 when 'type' then 2 else 3 end, p.scope, p.subject, p.reason, p.principal, p.paused_at
        from wm.pauses p where p.tenant_id = wm.current_tenant()) f
     order by f.place, f.subject`)
}

/** Outside calls of the tenant (of the type) that are on their way now and cannot be called back. */
export async function countRunningEffects(q: Queryable, type: string | undefined): Promise<number> {
  const [row] = await q.query<{ n: number }>(sql`
    select count(*)::int as n from wm.effects f join wm.orders o on o.tenant_id = f.tenant_id and o.id = f.order_id
     where f.tenant_id = wm.current_tenant() and f.state in ('pending', 'running') and f.state = 'running' and f.available_at > clock_timestamp()
       and (${type ?? null}::text is null or o.type = ${type ?? null})`)
  return row!.n
}

/** For sweeps over all tenants: neither everything nor the tenant nor the type of the order `o` is paused. */
export const notPaused: Sql = sql`(select c.paused_at is null from wm.cluster c)
  and not exists (select from wm.pauses p where p.tenant_id = o.tenant_id and (p.scope = 'tenant' or p.scope = 'type' and p.subject = o.type))`

/** Pauses all tenants, with an event on the record of each. For the system role; waits like `lockPauses`, for all tenants. */
export async function putPauseOfEverything(
  q: Queryable,
  by: { reason: string; principal: string },
): Promise<{ pausedAt: Instant; tenants: string[] }> {
  await q.query(sql`select pg_advisory_xact_lock(hashtextextended('wm.pauses', 0))`)
  const [row] = await q.query<{ paused_at: Instant }>(sql`
    update wm.cluster set paused_at = coalesce(paused_at, clock_timestamp()), paused_by = ${by.principal}, pause_reason = ${by.reason} returning paused_at`)
  return { pausedAt: row!.paused_at, tenants: await recordForAll(q, 'pause.set', by) }
}

/** False when nothing was paused. */
export async function removePauseOfEverything(q: Queryable, by: { reason: string; principal: string }): Promise<boolean> {
  const lifted = await q.query(sql`
    update wm.cluster set paused_at = null, paused_by = null, pause_reason = null where paused_at is not null returning id`)
  if (lifted.length > 0) await recordForAll(q, 'pause.lifted', by)
  return lifted.length > 0
}

async function recordForAll(q: Queryable, kind: EventKind, by: { reason: string; principal: string }): Promise<string[]> {
  const rows = await q.query<{ tenant_id: string }>(sql`
    insert into wm.intake (tenant_id, kinds, labels, actor_types, principals, payloads, messages, decided_at)
    select t.id, array[${kind}::text], array['everything'], array['system'], array[${by.principal}::text],
           array[json_build_object('scope', 'everything', 'subject', '', 'reason', ${by.reason}::text)::text], array[left(${by.reason}, 500)], clock_timestamp()
      from wm.tenants t returning tenant_id`)
  return rows.map((row) => row.tenant_id)
}
