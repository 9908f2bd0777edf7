/** When each generator ran for each tenant, and when it is due again. */
import sql from 'sql-template-tag'
import type { Queryable } from '../../kernel/store/tx.ts'

/** Takes a due run: true for exactly one caller per due time. The first sight of a generator only sets its schedule. */
export async function claimGeneratorRun(
  q: Queryable,
  run: { tenantId: string; generator: string; now: Date; next: Date },
): Promise<boolean> {
  await q.query(
    sql`
    insert into wm.generator_runs (tenant_id, generator, last_run_at, next_run_at) values (${run.tenantId}, ${run.generator}, ${run.now}, ${run.next})
    on conflict (tenant_id, generator) do nothing`,
    'see_generator',
  )
  const rows = await q.query(
    sql`
    update wm.generator_runs set last_run_at = ${run.now}, next_run_at = ${run.next}
     where tenant_id = ${run.tenantId} and generator = ${run.generator} and next_run_at <= ${run.now} returning generator`,
    'claim_generator_run',
  )
  return rows.length === 1
}

export async function noteGeneratorRun(
  q: Queryable,
  run: { tenantId: string; generator: string; proposed: number; error: string | null },
): Promise<void> {
  await q.query(
    sql`
    update wm.generator_runs set proposed = proposed + ${run.proposed}, last_error = ${run.error}
     where tenant_id = ${run.tenantId} and generator = ${run.generator}`,
    'note_generator_run',
  )
}
