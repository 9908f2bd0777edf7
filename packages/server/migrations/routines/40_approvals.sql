-- Approving and applying in few round trips: one function decides, one comes before the order type's own code, one after it. They take
-- the clean cases; whatever is not clean gets no verdict here, and the ordinary path (work/approvals, work/applying) says why.
-- Each function that is a transaction of its own sets the tenant itself, so that row security holds.

-- What a decision is about, as one text: the order, its items with their latest submissions, and when it moved last. Two equal texts are
-- the same content of the same stay in the same state; whoever was involved with it has not changed either.
create or replace function wm.order_content(p_tenant uuid, p_order uuid) returns text
  language sql stable
  as $$
  select json_build_object(
    'order', json_build_object('id', o.id, 'type', o.type, 'type_version', o.type_version, 'state', o.state, 'priority', o.priority,
      'revision', o.revision, 'requested_by_principal', o.requested_by_principal, 'payload', o.payload, 'meta', o.meta,
      'on_item_failure', o.on_item_failure, 'items_total', o.items_total, 'items_submitted', o.items_submitted, 'items_dead', o.items_dead,
      'approval_id', o.approval_id, 'apply_attempts', o.apply_attempts, 'traceparent', o.traceparent, 'correlation_id', o.correlation_id,
      'session_key', o.session_key, 'created_at', wm.wire_time(o.created_at)),
    'items', coalesce((
      select json_agg(json_build_object('id', i.id, 'ordinal', i.ordinal, 'state', i.state, 'input', i.input, 'result', s.result,
               'evidence', s.evidence, 'notes', s.notes) order by i.ordinal)
        from wm.items i left join wm.submissions s on s.tenant_id = i.tenant_id and s.item_id = i.id and s.number = i.submission_number
       where i.tenant_id = p_tenant and i.order_id = p_order), '[]'),
    'moved_at', wm.wire_time(o.last_transitioned_at))::text
    from wm.orders o where o.tenant_id = p_tenant and o.id = p_order
$$;

-- Who of p_involved is one hand with a principal that decides by a key: makers: whoever made that key; made: persons of whom the principal
-- made a key, ever.
create or replace function wm.one_hand(p_tenant uuid, p_principal text, p_key uuid, p_involved text[]) returns table (makers text[], made text[])
  language sql stable
  as $$
  select array(select m from wm.api_keys k, unnest(k.makers) m where k.tenant_id = p_tenant and k.id = p_key and m = any (p_involved)),
         array(select distinct 'person:' || k.principal_id from wm.api_keys k
                where k.tenant_id = p_tenant and k.makers <> '{}' and k.makers @> array[p_principal] and k.principal_kind = 'person'
                  and 'person:' || k.principal_id = any (p_involved))
$$;

-- Refuses an order whose documents are more than a server can look at in one piece. Asks for sizes alone: nothing is read for it.
create or replace function wm.assert_order_fits(p_tenant uuid, p_order uuid) returns void
  language plpgsql
  as $$
declare
  c_most constant bigint := 64 * 1024 * 1024;
  v_bytes bigint;
begin
  select sum(octet_length(i.input::text)::bigint + coalesce(octet_length(s.result::text), 0) + coalesce(octet_length(s.evidence::text), 0))
    into v_bytes
    from wm.items i left join wm.submissions s on s.tenant_id = i.tenant_id and s.item_id = i.id and s.number = i.submission_number
   where i.tenant_id = p_tenant and i.order_id = p_order;
  if v_bytes > c_most then
    raise exception 'the documents of the order have % bytes; at most % are decided about and applied together', v_bytes, c_most
      using errcode = 'program_limit_exceeded', constraint = 'order_too_large';
  end if;
end $$;

-- What a person was shown of the order last.
create or replace function wm.order_shown(p_tenant uuid, p_order uuid, p_principal text) returns table (digest text, members json, shown_at timestamptz)
  language plpgsql
  as $$
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  return query select s.digest, s.members, s.shown_at from wm.shown_orders s
    where s.tenant_id = p_tenant and s.order_id = p_order and s.principal = p_principal;
end $$;

-- The content, and the principals that handed in or held any of it in any revision. p_traces: also where it was handed in.
-- Whose hands are in one: of all that took part, who made the key p_key, and of whom p_principal made a key.
drop function if exists wm.order_to_judge(uuid, uuid, boolean);
create or replace function wm.order_to_judge(p_tenant uuid, p_order uuid, p_traces boolean, p_principal text, p_key uuid)
  returns table (content text, submitted_by text[], held_by text[], handed_in text[], makers text[], made text[])
  language plpgsql
  as $$
declare
  v_involved text[];
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  perform wm.assert_order_fits(p_tenant, p_order);
  for content, submitted_by, held_by, handed_in in
    select wm.order_content(p_tenant, p_order),
           array(select s.submitted_by_principal from wm.submissions s where s.tenant_id = p_tenant and s.order_id = p_order
                 union select p.submitted_by_principal from wm.parts p join wm.items i on i.tenant_id = p.tenant_id and i.id = p.item_id
                        where i.tenant_id = p_tenant and i.order_id = p_order),
           array(select e.principal from wm.events e where e.tenant_id = p_tenant and e.root_id = p_order and e.kind = 'item.leased'
                 union select u.principal from wm.unnumbered u
                        where u.tenant_id = p_tenant and u.root_id = p_order and u.kind = 'item.leased'),
           case when p_traces then array(
             select s.traceparent from wm.submissions s
               join wm.items i on i.tenant_id = s.tenant_id and i.id = s.item_id and i.submission_number = s.number
              where s.tenant_id = p_tenant and s.order_id = p_order and s.traceparent is not null
              order by s.decided_at desc limit 64) end
  loop
    select array[o.requested_by_principal] || submitted_by || held_by into v_involved
      from wm.orders o where o.tenant_id = p_tenant and o.id = p_order;
    select h.makers, h.made into makers, made from wm.one_hand(p_tenant, p_principal, p_key, v_involved) h;
    return next;
  end loop;
end $$;

-- Approves what was judged, if it is exactly that under the lock: p_seen is the SHA-256 of wm.order_content as it was read. The key is
-- reserved, its answer comes later. False: nothing happened.
create or replace function wm.approve_order(p_tenant uuid, p_order uuid, p_seen bytea, p_id uuid, p_digest text, p_payload text,
    p_actor_type text, p_actor_id text, p_principal text, p_request text, p_trace text, p_provenance uuid, p_correlation text, p_session text,
    p_traceparent text, p_operation text, p_key bytea, p_fingerprint bytea, p_ttl integer)
  returns boolean
  language plpgsql
  as $$
declare
  v_order wm.orders;
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  if not pg_try_advisory_xact_lock(hashtextextended(p_tenant::text || '|' || p_principal || '|' || p_operation || '|' || encode(p_key, 'hex'), 0)) then
    return false;
  end if;
  if exists (select from wm.idempotency k
              where k.tenant_id = p_tenant and k.principal = p_principal and k.operation = p_operation and k.key_hash = p_key) then
    return false;
  end if;
  select o.* into v_order from wm.orders o where o.tenant_id = p_tenant and o.id = p_order for no key update;
  -- A new statement, now that nobody else can write the order.
  if v_order.state is distinct from 'submitted' or sha256(convert_to(wm.order_content(p_tenant, p_order), 'UTF8')) is distinct from p_seen then
    return false;
  end if;
  v_now := clock_timestamp();
  insert into wm.approvals (tenant_id, id, order_id, revision, decision, digest, actor_type, actor_id, principal, traceparent, decided_at)
    values (p_tenant, p_id, p_order, v_order.revision, 'approved', p_digest, case p_actor_type when 'system' then 'system' else 'user' end,
      p_actor_id, p_principal, p_traceparent, v_now);
  update wm.orders o set state = 'approved', last_transitioned_at = v_now, updated_at = v_now, approval_id = p_id, last_apply_error = null
   where o.tenant_id = p_tenant and o.id = p_order and o.state = 'submitted';
  insert into wm.intake (tenant_id, decided_at, kinds, ids, subject_ids, root_ids, labels, actor_types, actor_ids, principals, request_ids,
      trace_ids, provenance_ids, correlation_ids, session_keys, payloads, seconds)
    values (p_tenant, v_now, array['order.approved'], array[p_id], array[p_order], array[p_order], array[v_order.type], array[p_actor_type],
      array[p_actor_id], array[p_principal], array[p_request], array[p_trace], array[p_provenance],
      array[coalesce(v_order.correlation_id, p_correlation)], array[coalesce(v_order.session_key, p_session)], array[p_payload],
      array[extract(epoch from date_trunc('milliseconds', v_now) - date_trunc('milliseconds', v_order.created_at))::numeric(14,3)]);
  insert into wm.idempotency (tenant_id, principal, operation, key_hash, fingerprint, created_at, expires_at)
    values (p_tenant, p_principal, p_operation, p_key, p_fingerprint, v_now, v_now + make_interval(secs => p_ttl));
  return true;
end $$;

-- Before the type's code: the order's lock, its pause, its decision, its content, the clock. No row: somebody else applies it now, or has,
-- or it is paused. Neither one statement nor silence between two may last longer than p_ms in this transaction from here on.
create or replace function wm.begin_apply(p_tenant uuid, p_order uuid, p_ms integer)
  returns table (content text, digest text, traceparent text, now timestamptz)
  language plpgsql
  as $$
declare
  v_type text; v_state text; v_approval uuid;
begin
  select o.type, o.state, o.approval_id into v_type, v_state, v_approval
    from wm.orders o where o.tenant_id = p_tenant and o.id = p_order for no key update skip locked;
  if v_state is distinct from 'approved' or wm.pause_in_force(p_tenant, null, null, v_type) is not null then
    return;
  end if;
  perform set_config('idle_in_transaction_session_timeout', p_ms::text, true), set_config('statement_timeout', p_ms::text, true);
  perform wm.assert_order_fits(p_tenant, p_order);
  return query
    select wm.order_content(p_tenant, p_order), a.digest, a.traceparent, clock_timestamp()
      from (select) as one left join wm.approvals a on a.tenant_id = p_tenant and a.id = v_approval;
end $$;

-- After the type's code: everything that `applied` means, in the same transaction.
-- p_effects: [{id, name, key, input, deduplicates, traceparent}].
-- p_key: whose answer this is, if somebody waits for it: it is kept with the change. verdict: done | paused.
-- p_documents: payload of the event `applied`: which documents were written, with the digests of what stands there now.
drop function if exists wm.finish_apply(uuid, uuid, text, json, text, text, text, text, bytea, integer);
create or replace function wm.finish_apply(p_tenant uuid, p_order uuid, p_diff text, p_effects json, p_by text, p_trace text,
    p_principal text, p_operation text, p_key bytea, p_ttl integer, p_documents text default null)
  returns table (verdict text, status integer, body text)
  language plpgsql
  as $$
declare
  v_order wm.orders;
  v_type text;
  v_items uuid[];
  v_moved integer;
  v_now timestamptz;
  v_status integer := 200; v_body text;
begin
  select o.type into v_type from wm.orders o where o.tenant_id = p_tenant and o.id = p_order;
  -- A pause that came while the type's code ran: nothing is committed past it.
  if wm.share_pause(p_tenant, null, null, v_type) is not null then
    return query select 'paused', null::integer, null::text;
    return;
  end if;
  select array_agg(l.id order by l.id) filter (where l.state = 'submitted') into v_items
    from (select i.id, i.state from wm.items i where i.tenant_id = p_tenant and i.order_id = p_order order by i.id for no key update) l;
  v_now := clock_timestamp();
  if p_effects is not null then
    insert into wm.effects (tenant_id, id, order_id, name, key, input, state, deduplicates, traceparent, available_at, created_at, updated_at)
      select p_tenant, f.id, p_order, f.name, f.key, coalesce(f.input, 'null'), 'pending', f.deduplicates, f.traceparent, v_now, v_now, v_now
        from json_to_recordset(p_effects) as f(id uuid, name text, key text, input json, deduplicates boolean, traceparent text);
  end if;
  if v_items is not null then
    update wm.items i set state = 'accepted', accepted_at = v_now, updated_at = v_now
     where i.tenant_id = p_tenant and i.id = any (v_items) and i.state = 'submitted';
    update wm.items i set state = 'completed'
     where i.tenant_id = p_tenant and i.id = any (v_items) and i.state = 'accepted';
    get diagnostics v_moved = row_count;
    if v_moved <> cardinality(v_items) then
      raise exception 'the items of the order are not what they were';
    end if;
  end if;
  update wm.orders o set state = 'applied', applied_at = v_now
   where o.tenant_id = p_tenant and o.id = p_order and o.state = 'approved';
  update wm.orders o set state = 'completed', completed_at = v_now, last_transitioned_at = v_now, updated_at = v_now
   where o.tenant_id = p_tenant and o.id = p_order and o.state = 'applied' and o.applied_at = v_now
  returning o.* into v_order;
  if not found then
    raise exception 'the order is not approved any more';
  end if;
  -- Everything here happens because it was approved: the decision's event bears the decision's id.
  insert into wm.intake (tenant_id, decided_at, kinds, subject_ids, root_ids, labels, actor_types, principals, trace_ids, correlation_ids,
      causation_ids, session_keys, payloads, diffs, messages)
    select p_tenant, v_now, array_agg(f.kind order by f.r), array_agg(f.subject order by f.r), array_agg(p_order), array_agg(v_order.type),
           array_agg('system'::text), array_agg(p_by), array_agg(p_trace), array_agg(v_order.correlation_id), array_agg(v_order.approval_id),
           array_agg(v_order.session_key), case when min(f.r) = 0 then array[p_documents] end, case when min(f.r) = 0 then array[p_diff] end, array_agg(f.message order by f.r)
      from (select e.*, row_number() over (order by e.place, e.n) - 1 as r
              from (
        select 1 as place, 0::bigint as n, 'order.applied' as kind, p_order as subject, 'Changes applied successfully' as message
        union all
        select 2, u.n * 2, 'item.accepted', u.id, 'Work order applied' from unnest(v_items) with ordinality as u(id, n)
        union all
        select 2, u.n * 2 + 1, 'item.completed', u.id, 'Work item completed' from unnest(v_items) with ordinality as u(id, n)
        union all
        select 3, 0, 'order.completed', p_order, 'All items completed'
      ) e) f
     -- So many events go into one row: numbering takes whole rows, and a pass should be short.
     group by f.r / 500 order by f.r / 500;
  v_body := '{"order":' || wm.order_json(v_order)::text || ',"diff":' || p_diff || '}';
  if p_key is not null then
    update wm.idempotency k set status = 200, body = v_body, expires_at = v_now + make_interval(secs => p_ttl)
     where k.tenant_id = p_tenant and k.principal = p_principal and k.operation = p_operation and k.key_hash = p_key and k.status is null;
    -- Somebody who waited for the same decision was answered first, perhaps with less: one key has one answer.
    if not found then
      select coalesce(k.status, 200), coalesce(k.body, v_body) into v_status, v_body from wm.idempotency k
       where k.tenant_id = p_tenant and k.principal = p_principal and k.operation = p_operation and k.key_hash = p_key;
    end if;
  end if;
  return query select 'done', v_status, v_body;
end $$;
