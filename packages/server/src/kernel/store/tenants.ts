/** Tenants as whoever runs the server sees them: all of them, and what each is entitled to. */
import type { EventKind, Tier } from '@work-manager/contract'
import sql from 'sql-template-tag'
import type { SystemDb } from './tx.ts'

export interface TenantRow {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly tier: Tier
  readonly suspended: boolean
}

export async function describeTenants(system: SystemDb): Promise<TenantRow[]> {
  return system.query(
    sql`select id, slug, name, tier, suspended_at is not null as suspended from wm.tenants order by slug`,
    'describe_tenants',
  )
}

/** Sets the tier and gives the one before; undefined when there is no such tenant. A change leaves an event, in the same statement. */
export async function updateTier(system: SystemDb, slug: string, tier: Tier, principal: string): Promise<Tier | undefined> {
  const [row] = await system.query<{ before: Tier }>(
    sql`
    with before as (select id, tier from wm.tenants where slug = ${slug} for no key update),
    changed as (
      update wm.tenants t set tier = ${tier} from before b where t.id = b.id and b.tier <> ${tier} returning t.id, t.slug, b.tier as before),
    event as (
      insert into wm.intake (tenant_id, kinds, subject_ids, root_ids, labels, actor_types, principals, payloads, decided_at)
      select id, array[${'tenant.tier_set' satisfies EventKind}::text], array[id], array[id], array[slug], array['system'], array[${principal}::text],
             array[json_build_object('tier', ${tier}::text, 'before', before)::text], clock_timestamp() from changed)
    select tier as before from before`,
    'update_tier',
  )
  return row?.before
}
