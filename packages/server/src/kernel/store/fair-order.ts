/**
 * Round robin over tenants: the first candidate of every tenant, then the second of every tenant, and so on; among those of one round the
 * one that has waited longest. A tenant with ten thousand due rows takes its turn like one with a single row.
 */
import sql, { type Sql } from 'sql-template-tag'
import type { Queryable } from './tx.ts'

export interface Candidates {
  /** The name of the prepared statement. */
  readonly name: string
  /** The table, with its alias: `wm.items i`. */
  readonly from: Sql
  readonly tenant: Sql
  /** The predicate of the partial index that leads with the tenant: the tenants that have any are found in it by skipping. */
  readonly among: Sql
  /** What else makes a row a candidate, and tables that it asks. */
  readonly join?: Sql
  readonly where: Sql
  /** Within a tenant, and between the tenants of one round. Of type timestamptz. */
  readonly by: Sql
  readonly columns: Sql
  readonly limit: number
}

/** Candidates only: the verdict falls under their locks. */
export function inFairOrder<Row>(q: Queryable, { name, from, tenant, among, join, where, by, columns, limit }: Candidates): Promise<Row[]> {
  return q.query<Row>(
    sql`
    with recursive tenants(id) as (
      (select ${tenant} from ${from} where ${among} order by ${tenant} limit 1)
      union all
      select (select ${tenant} from ${from} where ${among} and ${tenant} > t.id order by ${tenant} limit 1) from tenants t where t.id is not null
    )
    select c.* from tenants t cross join lateral (
      select r.*, row_number() over (order by r.by) as turn
        from (select ${columns}, ${by} as by from ${from} ${join ?? sql``} where ${among} and ${tenant} = t.id and ${where} order by ${by} limit ${limit}) r) c
     where t.id is not null
     order by c.turn, c.by limit ${limit}`,
    name,
  )
}
