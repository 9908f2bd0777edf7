-- Proposed orders with their items and events: the one place that writes them, one order or a batch.

-- p_orders: [{id, type, priority, due_early (seconds), traceparent, correlation_id, session_key, items: [{id, ordinal, type, …}]}].
create or replace function wm.write_items(p_tenant uuid, p_at timestamptz, p_orders json) returns void
  language plpgsql
  as $$
begin
  insert into wm.items (tenant_id, id, order_id, ordinal, type, order_type, priority, state, max_attempts, lease_ttl_seconds,
      max_lease_seconds, require_token, record_heartbeats, input, parts_required, traceparent, correlation_id, session_key, due_at, created_at, updated_at)
    select p_tenant, r.id, o.id, r.ordinal, r.type, o.type, o.priority, 'queued', r."maxAttempts", r."leaseTtlSeconds", r."maxLeaseSeconds",
        r."requireToken", r."recordHeartbeats", r.input, r."partsRequired", o.traceparent, o.correlation_id, o.session_key,
        p_at - make_interval(secs => o.due_early), p_at, p_at
      from json_to_recordset(p_orders) as o(id uuid, type text, priority integer, due_early double precision, traceparent text,
             correlation_id text, session_key text, items json)
     cross join lateral json_to_recordset(o.items) as r(id uuid, ordinal integer, type text, "maxAttempts" integer,
             "leaseTtlSeconds" integer, "maxLeaseSeconds" integer, "requireToken" boolean, "recordHeartbeats" boolean, input json,
             "partsRequired" text[]);
end $$;

-- The orders, their items, and one row of the intake. p_configs: by type, what a payload must look like.
create or replace function wm.write_orders(p_tenant uuid, p_at timestamptz, p_configs json, p_orders json) returns void
  language plpgsql
  as $$
begin
  insert into wm.orders (tenant_id, id, type, type_version, state, priority, requested_by_type, requested_by_id, requested_by_principal,
      payload, meta, acceptance_config, on_item_failure, items_total, traceparent, correlation_id, session_key, last_transitioned_at,
      created_at, updated_at)
    select p_tenant, o.id, o.type, o.type_version, 'queued', o.priority, o.actor_type, o.actor_id, o.principal, coalesce(o.payload, 'null'),
        o.meta, p_configs -> o.type, o.on_item_failure, o.items_total, o.traceparent, o.correlation_id, o.session_key, p_at, p_at, p_at
      from json_to_recordset(p_orders) as o(id uuid, type text, type_version integer, priority integer, actor_type text, actor_id text,
             principal text, payload json, meta jsonb, on_item_failure text, items_total integer, traceparent text, correlation_id text,
             session_key text);
  perform wm.write_items(p_tenant, p_at, p_orders);
  insert into wm.intake (tenant_id, decided_at, kinds, subject_ids, root_ids, labels, actor_types, actor_ids, principals, request_ids,
      trace_ids, provenance_ids, correlation_ids, session_keys, payloads, messages)
    select p_tenant, p_at, array_agg(f.kind), array_agg(f.id), array_agg(f.id), array_agg(f.type), array_agg(f.actor_type),
           array_agg(f.actor_id), array_agg(f.principal), array_agg(f.request_id), array_agg(f.trace_id), array_agg(f.provenance_id),
           array_agg(f.correlation_id), array_agg(f.session_key), array_agg(f.payload), array_agg(f.message)
      from (
        select k.kind, o.*, k.payload, k.message
          from rows from (json_to_recordset(p_orders) as (id uuid, type text, actor_type text, actor_id text, principal text,
                 request_id text, trace_id text, provenance_id uuid, correlation_id text, session_key text, items_total integer, payload json,
                 message text)) with ordinality as o(id, type, actor_type, actor_id, principal, request_id, trace_id, provenance_id,
                 correlation_id, session_key, items_total, asked, said, place)
         cross join lateral (
           select 1 as step, 'order.proposed' as kind, o.asked::text as payload, o.said as message
           union all
           select 2, 'order.planned', json_build_object('item_count', o.items_total)::text, null where o.items_total > 0) k
         order by o.place, k.step) f;
end $$;

-- Proposals of one tenant in one round trip: those whose key is new and whose agent is not paused are written and their answers kept. The
-- others get no row, and the ordinary path says why. p_orders: as above, with slot, agent_id, key_hash and fingerprint (hex).
create or replace function wm.propose_orders(p_tenant uuid, p_ttl integer, p_configs json, p_orders json)
  returns table (slot integer, body text)
  language plpgsql
  as $$
declare
  v_slot integer[]; v_id uuid[]; v_agent text[]; v_who text[]; v_key bytea[]; v_print bytea[]; v_items integer[];
  v_go boolean[];
  v_orders json := p_orders;
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  select array_agg(s.slot), array_agg(s.id), array_agg(s.agent_id), array_agg(s.principal), array_agg(decode(s.key_hash, 'hex')),
         array_agg(decode(s.fingerprint, 'hex')), array_agg(s.items_total)
    into v_slot, v_id, v_agent, v_who, v_key, v_print, v_items
    from json_to_recordset(p_orders) as s(slot integer, id uuid, agent_id text, principal text, key_hash text, fingerprint text, items_total integer);
  -- A try-lock, because waiting for a paused rival would hang every retry of that key.
  select array_agg(pg_try_advisory_xact_lock(hashtextextended(p_tenant::text || '|' || w || '|propose_order|' || encode(k, 'hex'), 0)) order by n)
    into v_go from unnest(v_key, v_who) with ordinality as u(k, w, n);
  -- Whoever pauses an agent waits for whoever proposes, and is seen afterwards. In a new statement, like what holders of keys left.
  perform wm.share_pauses(p_tenant);
  select array_agg(u.go and not exists (
           select from wm.idempotency k
            where k.tenant_id = p_tenant and k.principal = u.who and k.operation = 'propose_order' and k.key_hash = u.key)
           and not exists (
           select from wm.pauses p where p.tenant_id = p_tenant and p.scope = 'agent' and p.subject in (u.agent, u.who)) order by u.n)
    into v_go from unnest(v_go, v_who, v_key, v_agent) with ordinality as u(go, who, key, agent, n);
  if not (true = any (v_go)) then
    return;
  end if;
  if false = any (v_go) then
    select json_agg(e.value order by e.n) into v_orders from json_array_elements(p_orders) with ordinality as e(value, n) where v_go[e.n];
  end if;
  v_now := clock_timestamp();
  perform wm.write_orders(p_tenant, v_now, p_configs, v_orders);
  return query
    with answers as materialized (
      select a.n, '{"order":' || wm.order_json(o)::text || ',"items_count":' || v_items[a.n] || '}' as body
        from wm.orders o cross join lateral (select array_position(v_id, o.id) as n) a
       where o.tenant_id = p_tenant and o.id = any (v_id)
    ), remembered as (
      insert into wm.idempotency (tenant_id, principal, operation, key_hash, fingerprint, status, body, created_at, expires_at)
        select p_tenant, v_who[a.n], 'propose_order', v_key[a.n], v_print[a.n], 201, a.body, v_now, v_now + make_interval(secs => p_ttl)
          from answers a
    )
    select v_slot[a.n], a.body from answers a;
end $$;
