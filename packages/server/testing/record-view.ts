/** What tests look at: every event of the database, numbered or not, in one list. Product code reads numbered ones only. */
export const recordView = `
create view public.record as
  select e.tenant_id, e.seq, e.seq::numeric as position, e.id, e.subject_type, e.subject_id, e.root_id,
         case when e.subject_type in ('order', 'item', 'part', 'effect') then e.root_id end as order_id,
         case when e.subject_type = 'item' then e.subject_id end as item_id, e.label, e.kind, e.actor_type, e.actor_id, e.principal,
         e.request_id, e.trace_id, e.provenance_id, e.correlation_id, e.causation_id, e.session_key, e.priority, e.payload, e.diff, e.message,
         e.reason, e.seconds, e.decided_at
    from wm.events e
  union all
  select i.tenant_id, null, 1e15 + i.id * 10000 + x.n, x.id, split_part(x.kind, '.', 1), x.subject_id, x.root_id,
         case when split_part(x.kind, '.', 1) in ('order', 'item', 'part', 'effect') then x.root_id end,
         case when split_part(x.kind, '.', 1) = 'item' then x.subject_id end, x.label, x.kind, x.actor_type, x.actor_id, x.principal,
         x.request_id, x.trace_id, x.provenance_id, x.correlation_id, x.causation_id, x.session_key, wm.event_priority(x.kind), x.payload::json,
         x.diff::json, x.message, x.reason, x.seconds, i.decided_at
    from wm.intake i
   cross join lateral unnest(i.ids, i.kinds, i.subject_ids, i.root_ids, i.labels, i.actor_types, i.actor_ids, i.principals, i.request_ids,
           i.trace_ids, i.provenance_ids, i.correlation_ids, i.causation_ids, i.session_keys, i.payloads, i.diffs, i.messages, i.reasons, i.seconds)
         with ordinality
         as x(id, kind, subject_id, root_id, label, actor_type, actor_id, principal, request_id, trace_id, provenance_id,
           correlation_id, causation_id, session_key, payload, diff, message, reason, seconds, n)`
