/** Submissions: immutable numbered rows; rework adds one. The hot path inserts its own (wm.submit_items). */
import sql from 'sql-template-tag'
import type { Queryable } from '../../kernel/store/tx.ts'

/** Every submission of an item, newest first, as wire JSON. */
export async function renderSubmissions(q: Queryable, itemId: string): Promise<Array<{ json: string }>> {
  return q.query<{ json: string }>(
    sql`
    select json_build_object('id', s.id, 'number', s.number, 'result', s.result, 'evidence', s.evidence, 'notes', s.notes, 'digest', s.digest,
             'assembled_parts', s.assembled_parts, 'submitted_by_agent_id', s.submitted_by_agent_id, 'generation', s.generation,
             'created_at', wm.wire_time(s.decided_at))::text as json
      from wm.submissions s where s.tenant_id = wm.current_tenant() and s.item_id = ${itemId} order by s.number desc limit 100`,
    'render_submissions',
  )
}

/** Where the submissions that a decision is about were handed in, as traces tell it; the newest of them where there are many. */
export async function findSubmissionTraces(q: Queryable, orderId: string): Promise<string[]> {
  const rows = await q.query<{ traceparent: string }>(
    sql`
    select s.traceparent from wm.submissions s
      join wm.items i on i.tenant_id = s.tenant_id and i.id = s.item_id and i.submission_number = s.number
     where s.tenant_id = wm.current_tenant() and s.order_id = ${orderId} and s.traceparent is not null
     order by s.decided_at desc limit 64`,
    'find_submission_traces',
  )
  return rows.map((row) => row.traceparent)
}
