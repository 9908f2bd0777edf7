-- How rows become wire JSON, in one place: every door hands these bytes on. `json` columns are embedded as they were stored.

create or replace function wm.order_json(o wm.orders) returns json
  language sql stable
  as $$
  select json_build_object(
    'id', o.id, 'type', o.type, 'type_version', o.type_version, 'state', o.state, 'priority', o.priority, 'revision', o.revision,
    'requested_by_type', o.requested_by_type, 'requested_by_id', o.requested_by_id,
    'payload', o.payload, 'meta', o.meta, 'acceptance_config', o.acceptance_config,
    'items_total', o.items_total, 'items_submitted', o.items_submitted, 'last_apply_error', o.last_apply_error,
    'applied_at', wm.wire_time(o.applied_at), 'completed_at', wm.wire_time(o.completed_at),
    'last_transitioned_at', wm.wire_time(o.last_transitioned_at),
    'created_at', wm.wire_time(o.created_at), 'updated_at', wm.wire_time(o.updated_at))
$$;

create or replace function wm.item_json(i wm.items, s wm.submissions) returns json
  language sql stable
  as $$
  select json_build_object(
    'id', i.id, 'order_id', i.order_id, 'ordinal', i.ordinal, 'type', i.type, 'state', i.state,
    'attempts', i.attempts, 'max_attempts', i.max_attempts,
    'leased_by_agent_id', i.leased_by_agent_id, 'lease_expires_at', wm.wire_time(i.lease_expires_at),
    'last_heartbeat_at', wm.wire_time(i.last_heartbeat_at),
    'input', i.input, 'result', s.result,
    'assembled_result', case when s.assembled_parts is not null then s.result end,
    'evidence', s.evidence, 'parts_required', to_json(i.parts_required), 'parts_state', i.parts_state,
    'error', i.error, 'rework', i.rework, 'submission_number', i.submission_number,
    'available_at', wm.wire_time(i.available_at), 'accepted_at', wm.wire_time(i.accepted_at),
    'created_at', wm.wire_time(i.created_at), 'updated_at', wm.wire_time(i.updated_at))
$$;

-- What checkout hands out: the predecessor's five members, and what a careful agent needs besides.
create or replace function wm.leased_item_json(i wm.items, heartbeat_every integer) returns json
  language sql stable
  as $$
  select json_build_object(
    'id', i.id, 'order_id', i.order_id, 'type', i.type, 'state', i.state, 'input', i.input,
    'lease_token', i.lease_token, 'lease_expires_at', wm.wire_time(i.lease_expires_at),
    'heartbeat_every_seconds', least(heartbeat_every, greatest(1, i.lease_ttl_seconds / 3)),
    'attempt', i.attempts, 'max_attempts', i.max_attempts,
    'parts_required', to_json(i.parts_required), 'parts_state', i.parts_state,
    'rework', i.rework, 'last_error', i.error, 'traceparent', i.traceparent)
$$;

create or replace function wm.part_json(p wm.parts) returns json
  language sql stable
  as $$
  select json_build_object(
    'id', p.id, 'part_key', p.part_key, 'seq', p.seq, 'revision', p.revision, 'status', p.status, 'payload', p.payload,
    'evidence', p.evidence, 'notes', p.notes, 'errors', p.errors, 'checksum', p.checksum,
    'submitted_by_agent_id', p.submitted_by_agent_id, 'created_at', wm.wire_time(p.created_at))
$$;

-- `order_id` and `item_id` are the predecessor's members: the order that an event belongs to, and the item that it is about.
create or replace function wm.event_json(e wm.events) returns json
  language sql stable
  as $$
  select json_build_object(
    'id', e.id, 'seq', e.seq, 'order_id', case when e.subject_type in ('order', 'item', 'part', 'effect') then e.root_id end,
    'item_id', case when e.subject_type = 'item' then e.subject_id end,
    'subject_type', e.subject_type, 'subject_id', e.subject_id, 'root_id', e.root_id, 'label', e.label,
    'event', split_part(e.kind, '.', 2), 'kind', e.kind, 'priority', e.priority, 'actor_type', e.actor_type, 'actor_id', e.actor_id,
    'principal', e.principal, 'request_id', e.request_id, 'trace_id', e.trace_id, 'provenance_id', e.provenance_id,
    'correlation_id', e.correlation_id, 'causation_id', e.causation_id, 'session_key', e.session_key,
    'payload', e.payload, 'diff', e.diff, 'message', e.message, 'created_at', wm.wire_time(e.decided_at))
$$;
