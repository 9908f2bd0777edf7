-- The hot path: checkout, heartbeat, submit. Each takes a batch of requests of one tenant in one round trip and keeps the one
-- allowed order: lock (orders by id, then items by id) → read the clock in a new statement → guarded write → facts.
-- `exp > clock_timestamp()` inside the locking statement would judge an expired lease live after a lock wait; see docs/decisions.

-- The lease rule, once: held = live, by this principal under this agent id, and with the token of the latest grant.
create or replace function wm.holds_lease(i wm.items, token text, agent text, who text, at timestamptz) returns boolean
  language sql immutable
  as $$
  select i.state in ('leased', 'in_progress') and at <= i.lease_expires_at
    and i.leased_by_principal = who and i.leased_by_agent_id = agent
    and (i.lease_token = token or (token is null and not i.require_token))
$$;

create or replace function wm.checkout_items(
  p_tenant uuid, p_order uuid, p_type text, p_min_priority integer, p_epoch integer, p_heartbeat_every integer, p_slots json)
  returns table (slot integer, item_id uuid, order_id uuid, body text)
  language plpgsql
  as $$
declare
  v_slot integer[]; v_agent text[]; v_who text[]; v_actor text[]; v_actor_id text[]; v_random text[]; v_request text[]; v_prov uuid[]; v_trace text[];
  v_wanted integer;
  v_candidates uuid[]; v_orders uuid[]; v_locked uuid[]; v_granted uuid[] := '{}'; v_more uuid[];
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  select array_agg(s.slot), array_agg(s.agent_id), array_agg(s.principal), array_agg(s.actor_type), array_agg(s.actor_id),
         array_agg(s.random), array_agg(s.request_id), array_agg(s.provenance_id), array_agg(s.trace_id)
    into v_slot, v_agent, v_who, v_actor, v_actor_id, v_random, v_request, v_prov, v_trace
    from json_to_recordset(p_slots) as s(slot integer, agent_id text, principal text, actor_type text, actor_id text,
      random text, request_id text, provenance_id uuid, trace_id text);
  v_wanted := array_length(v_slot, 1);

  -- Round 1 takes what lies in orders that nobody else is writing to; round 2 waits for the others.
  for v_round in 1 .. 2 loop
    if p_order is not null then
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from (select i.id, i.order_id from wm.items i
               where i.tenant_id = p_tenant and i.order_id = p_order and i.state = 'queued' and i.id <> all (v_granted)
               order by i.ordinal limit v_wanted) c;
    elsif p_type is not null then
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from (select i.id, i.order_id from wm.items i
               where i.tenant_id = p_tenant and i.order_type = p_type and i.state = 'queued'
                 and i.priority >= p_min_priority and i.id <> all (v_granted)
               order by i.priority desc, i.id limit v_wanted) c;
    else
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from (select i.id, i.order_id from wm.items i
               where i.tenant_id = p_tenant and i.state = 'queued' and i.priority >= p_min_priority and i.id <> all (v_granted)
               order by i.priority desc, i.id limit v_wanted) c;
    end if;
    exit when v_candidates is null;

    if v_round = 1 then
      select array_agg(o.id) into v_locked from (
        select l.id from wm.orders l where l.tenant_id = p_tenant and l.id = any (v_orders)
           and l.state in ('queued', 'checked_out', 'in_progress')
         order by l.id for no key update skip locked) o;
    else
      select array_agg(o.id) into v_locked from (
        select l.id from wm.orders l where l.tenant_id = p_tenant and l.id = any (v_orders)
           and l.state in ('queued', 'checked_out', 'in_progress')
         order by l.id for no key update) o;
      -- While we waited, others may have taken the candidates: look again inside the orders that we now hold.
      select array_agg(c.id) into v_candidates
        from (select i.id from wm.items i
               where i.tenant_id = p_tenant and i.order_id = any (v_locked) and i.state = 'queued'
                 and i.priority >= coalesce(p_min_priority, -32768) and i.id <> all (v_granted)
               order by i.priority desc, i.id limit v_wanted) c;
    end if;

    if v_locked is not null and v_candidates is not null then
      select array_agg(k.id) into v_more from (
        select i.id from wm.items i
         where i.tenant_id = p_tenant and i.id = any (v_candidates) and i.order_id = any (v_locked) and i.state = 'queued'
         order by i.id for update skip locked) k;
      v_granted := v_granted || coalesce(v_more[1 : v_wanted], '{}');
      v_wanted := v_wanted - coalesce(array_length(v_more, 1), 0);
    end if;
    exit when v_wanted <= 0;
  end loop;
  if array_length(v_granted, 1) is null then
    return;
  end if;

  v_now := clock_timestamp();

  return query
  with best as (
    select b.id, row_number() over (order by b.priority desc, b.id) as n
      from wm.items b where b.tenant_id = p_tenant and b.id = any (v_granted)
  ), granted as (
    update wm.items i
       set state = 'leased', attempts = i.attempts + 1, generation = i.generation + 1,
           lease_token = 'wl.' || p_epoch || '.' || (i.generation + 1) || '.' || v_random[b.n],
           leased_by_agent_id = v_agent[b.n], leased_by_principal = v_who[b.n],
           lease_expires_at = v_now + make_interval(secs => i.lease_ttl_seconds),
           last_heartbeat_at = v_now, updated_at = v_now
      from best b
     where i.tenant_id = p_tenant and i.id = b.id and i.state = 'queued'
    returning i as item, b.n
  ), opened as (
    update wm.orders o set state = 'checked_out', last_transitioned_at = v_now, updated_at = v_now
     where o.tenant_id = p_tenant and o.id in (select (g.item).order_id from granted g) and o.state = 'queued'
    returning o.id, o.type
  ), facts as (
    -- One insert, so that positions follow the order in which the facts belong: the item's first.
    insert into wm.events (tenant_id, order_id, item_id, kind, order_type, actor_type, actor_id, principal, request_id, trace_id,
        provenance_id, priority, payload, decided_at)
    select p_tenant, f.order_id, f.item_id, f.kind, f.type, f.actor, f.actor_id, f.who, f.request, f.trace, f.prov,
        wm.event_priority(f.kind), f.payload, v_now
      from (
        select 1 as place, (g.item).order_id as order_id, (g.item).id as item_id, 'item.leased' as kind, (g.item).order_type as type,
               v_actor[g.n] as actor, v_actor_id[g.n] as actor_id, v_who[g.n] as who, v_request[g.n] as request, v_trace[g.n] as trace,
               v_prov[g.n] as prov,
               json_build_object('lease_expires_at', wm.wire_time((g.item).lease_expires_at), 'generation', (g.item).generation,
                 'attempt', (g.item).attempts) as payload
          from granted g
        union all
        select 2, o.id, null, 'order.checked_out', o.type, 'system', null, null, null, null, null, null from opened o
      ) f order by f.place
  )
  select v_slot[g.n], (g.item).id, (g.item).order_id, wm.leased_item_json(g.item, p_heartbeat_every)::text
    from granted g;
end $$;

-- Why a lease verb was refused is told from these facts by the domain (lease-refusal.ts); the guard itself is above.
create or replace function wm.heartbeat_items(p_tenant uuid, p_slots json)
  returns table (slot integer, held boolean, lease_expires_at timestamptz, state text, token text, agent text, who text,
    requires_token boolean, expired_at timestamptz, decided_at timestamptz)
  language plpgsql
  as $$
declare
  v_slot integer[]; v_item uuid[]; v_token text[]; v_agent text[]; v_who text[]; v_actor text[]; v_actor_id text[];
  v_request text[]; v_prov uuid[]; v_trace text[];
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  select array_agg(s.slot), array_agg(s.item_id), array_agg(s.token), array_agg(s.agent_id), array_agg(s.principal), array_agg(s.actor_type),
         array_agg(s.actor_id), array_agg(s.request_id), array_agg(s.provenance_id), array_agg(s.trace_id)
    into v_slot, v_item, v_token, v_agent, v_who, v_actor, v_actor_id, v_request, v_prov, v_trace
    from json_to_recordset(p_slots) as s(slot integer, item_id uuid, token text, agent_id text, principal text, actor_type text,
      actor_id text, request_id text, provenance_id uuid, trace_id text);

  -- Only the first heartbeat of an order moves the order, so only then is its row locked.
  perform 1 from (
    select o.id from wm.orders o
     where o.tenant_id = p_tenant and o.state = 'checked_out'
       and o.id in (select i.order_id from wm.items i where i.tenant_id = p_tenant and i.id = any (v_item) and i.state = 'leased')
     order by o.id for no key update) l;
  perform 1 from (
    select i.id from wm.items i where i.tenant_id = p_tenant and i.id = any (v_item) order by i.id for no key update) l;
  v_now := clock_timestamp();

  return query
  with asked as (
    select * from unnest(v_slot, v_item, v_token, v_agent, v_who, v_actor, v_actor_id, v_request, v_prov, v_trace)
      as a(slot, item_id, token, agent, who, actor, actor_id, request, prov, trace)
  ), before as (
    select a.*, i as item, wm.holds_lease(i, a.token, a.agent, a.who, v_now) as ok
      from asked a join wm.items i on i.tenant_id = p_tenant and i.id = a.item_id
  ), beaten as (
    update wm.items i
       set state = 'in_progress', lease_expires_at = v_now + make_interval(secs => i.lease_ttl_seconds),
           last_heartbeat_at = v_now, updated_at = v_now
      from before b
     where b.ok and i.tenant_id = p_tenant and i.id = b.item_id
    returning i.id, i.lease_expires_at as until
  ), begun as (
    update wm.orders o set state = 'in_progress', last_transitioned_at = v_now, updated_at = v_now
     where o.tenant_id = p_tenant and o.state = 'checked_out' and o.id in (select (b.item).order_id from before b where b.ok)
    returning o.id, o.type
  ), facts as (
    insert into wm.events (tenant_id, order_id, item_id, kind, order_type, actor_type, actor_id, principal, request_id, trace_id,
        provenance_id, priority, payload, decided_at)
    select p_tenant, f.order_id, f.item_id, f.kind, f.type, f.actor, f.actor_id, f.who, f.request, f.trace, f.prov,
        wm.event_priority(f.kind), f.payload, v_now
      from (
        select 1 as place, (b.item).order_id as order_id, b.item_id, k.kind, (b.item).order_type as type, b.actor, b.actor_id, b.who,
               b.request, b.trace, b.prov, json_build_object('lease_expires_at', wm.wire_time(n.until)) as payload
          from before b
          join beaten n on n.id = b.item_id
          cross join lateral (select case when (b.item).state = 'leased' then 'item.in_progress' else 'item.heartbeat' end as kind) k
         where (b.item).state = 'leased' or (b.item).record_heartbeats
        union all
        select 2, o.id, null, 'order.in_progress', o.type, 'system', null, null, null, null, null, null from begun o
      ) f order by f.place
  )
  select b.slot, b.ok, n.until, (b.item).state, (b.item).lease_token, (b.item).leased_by_agent_id, (b.item).leased_by_principal,
         (b.item).require_token, (b.item).lease_expires_at, v_now
    from before b left join beaten n on n.id = b.item_id;
end $$;

-- Hands in verified results. The last of N concurrent submits moves the order, because the counter is written under the order's lock.
-- verdict: done | replay | mismatch | in_flight | refused (see the facts) ; absent slots: no such item.
create or replace function wm.submit_items(p_tenant uuid, p_idempotency_ttl integer, p_slots json)
  returns table (slot integer, verdict text, status integer, body text, order_id uuid, order_submitted boolean, state text, token text,
    agent text, who text, requires_token boolean, expired_at timestamptz, decided_at timestamptz)
  language plpgsql
  as $$
declare
  v_slot integer[]; v_item uuid[]; v_token text[]; v_agent text[]; v_who text[]; v_actor text[]; v_actor_id text[];
  v_request text[]; v_prov uuid[]; v_trace text[]; v_key text[]; v_print text[]; v_id uuid[]; v_digest text[]; v_parts integer[];
  v_result json[]; v_evidence json[]; v_notes text[];
  v_go boolean[];
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  select array_agg(s.slot), array_agg(s.item_id), array_agg(s.token), array_agg(s.agent_id), array_agg(s.principal), array_agg(s.actor_type),
         array_agg(s.actor_id), array_agg(s.request_id), array_agg(s.provenance_id), array_agg(s.trace_id), array_agg(s.key_hash),
         array_agg(s.fingerprint), array_agg(s.submission_id), array_agg(s.digest), array_agg(s.assembled_parts),
         array_agg(s.result), array_agg(s.evidence), array_agg(s.notes)
    into v_slot, v_item, v_token, v_agent, v_who, v_actor, v_actor_id, v_request, v_prov, v_trace, v_key, v_print, v_id, v_digest, v_parts,
         v_result, v_evidence, v_notes
    from json_to_recordset(p_slots) as s(slot integer, item_id uuid, token text, agent_id text, principal text, actor_type text,
      actor_id text, request_id text, provenance_id uuid, trace_id text, key_hash text, fingerprint text, submission_id uuid,
      digest text, assembled_parts integer, result json, evidence json, notes text);

  -- Reserve the keys first. A try-lock, because waiting for a paused rival would hang every retry of that key.
  select array_agg(k is null or pg_try_advisory_xact_lock(hashtextextended(p_tenant::text || '|' || w || '|submit_item|' || k, 0)) order by n)
    into v_go from unnest(v_key, v_who) with ordinality as u(k, w, n);
  -- A new statement: it sees what the holder before us committed.
  return query
    select u.slot, case when not u.go then 'in_flight' when p.fingerprint <> decode(u.print, 'hex') then 'mismatch' else 'replay' end,
           p.status, p.body, null::uuid, false, null::text, null::text, null::text, null::text, null::boolean, null::timestamptz, null::timestamptz
      from unnest(v_slot, v_go, v_who, v_key, v_print) as u(slot, go, who, key, print)
      left join wm.idempotency p on p.tenant_id = p_tenant and p.principal = u.who and p.operation = 'submit_item'
       and p.key_hash = decode(u.key, 'hex')
     where u.key is not null and (not u.go or p.key_hash is not null);
  select array_agg(u.go and p.key_hash is null order by u.n) into v_go
    from unnest(v_go, v_who, v_key) with ordinality as u(go, who, key, n)
    left join wm.idempotency p on p.tenant_id = p_tenant and p.principal = u.who and p.operation = 'submit_item'
     and p.key_hash = decode(u.key, 'hex');

  perform 1 from (
    select o.id from wm.orders o
     where o.tenant_id = p_tenant and o.id in (select i.order_id from wm.items i where i.tenant_id = p_tenant and i.id = any (v_item))
     order by o.id for no key update) l;
  perform 1 from (
    select i.id from wm.items i where i.tenant_id = p_tenant and i.id = any (v_item) order by i.id for no key update) l;
  v_now := clock_timestamp();

  -- Straight from leased, an item passes through in_progress: two facts, one transaction.
  with begun as (
    update wm.items i set state = 'in_progress'
      from unnest(v_item, v_token, v_agent, v_who, v_go, v_actor, v_actor_id, v_request, v_prov, v_trace)
        as a(item_id, token, agent, who, go, actor, actor_id, request, prov, trace)
     where a.go and i.tenant_id = p_tenant and i.id = a.item_id and i.state = 'leased' and wm.holds_lease(i, a.token, a.agent, a.who, v_now)
    returning i.order_id, i.id, i.order_type, a.actor, a.actor_id, a.who, a.request, a.prov, a.trace
  )
  insert into wm.events (tenant_id, order_id, item_id, kind, order_type, actor_type, actor_id, principal, request_id, trace_id,
      provenance_id, priority, decided_at)
  select p_tenant, b.order_id, b.id, 'item.in_progress', b.order_type, b.actor, b.actor_id, b.who, b.request, b.trace, b.prov,
      wm.event_priority('item.in_progress'), v_now from begun b;

  return query
  with asked as (
    select * from unnest(v_slot, v_item, v_token, v_agent, v_who, v_go, v_actor, v_actor_id, v_request, v_prov, v_trace, v_key, v_print, v_id,
        v_digest, v_parts, v_result, v_evidence, v_notes)
      as a(slot, item_id, token, agent, who, go, actor, actor_id, request, prov, trace, key, print, id, digest, parts, result, evidence, notes)
  ), before as (
    select a.*, i as item, wm.holds_lease(i, a.token, a.agent, a.who, v_now) as ok
      from asked a join wm.items i on i.tenant_id = p_tenant and i.id = a.item_id
     where a.go
  ), handed_in as (
    update wm.items i
       set state = 'submitted', submission_number = i.submission_number + 1, updated_at = v_now, error = null,
           lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null
      from before b
     where b.ok and i.tenant_id = p_tenant and i.id = b.item_id
    returning i as item
  ), kept as (
    insert into wm.submissions (tenant_id, id, order_id, item_id, number, result, evidence, notes, digest, assembled_parts,
        submitted_by_agent_id, submitted_by_principal, generation, decided_at)
    select p_tenant, b.id, (h.item).order_id, b.item_id, (h.item).submission_number, b.result, b.evidence, b.notes, b.digest, b.parts,
        b.agent, b.who, (h.item).generation, v_now
      from before b join handed_in h on (h.item).id = b.item_id
    returning submissions as submission
  ), counted as (
    update wm.orders o
       set items_submitted = o.items_submitted + c.n, updated_at = v_now,
           state = case when o.items_submitted + c.n + o.items_dead >= o.items_total then 'submitted'
                        when o.state = 'checked_out' then 'in_progress' else o.state end,
           last_transitioned_at = case when o.items_submitted + c.n + o.items_dead >= o.items_total or o.state = 'checked_out'
                                       then v_now else o.last_transitioned_at end
      from (select (h.item).order_id as id, count(*)::integer as n from handed_in h group by 1) c
     where o.tenant_id = p_tenant and o.id = c.id
    returning o.id, o.type, o.state, o.last_transitioned_at = v_now as moved
  ), facts as (
    insert into wm.events (tenant_id, order_id, item_id, kind, order_type, actor_type, actor_id, principal, request_id, trace_id,
        provenance_id, priority, payload, message, decided_at)
    select p_tenant, f.order_id, f.item_id, f.kind, f.type, f.actor, f.actor_id, f.who, f.request, f.trace, f.prov,
        wm.event_priority(f.kind), f.payload, f.message, v_now
      from (
        select 1 as place, (h.item).order_id as order_id, b.item_id, 'item.submitted' as kind, (h.item).order_type as type, b.actor,
               b.actor_id, b.who, b.request, b.trace, b.prov,
               json_build_object('number', (h.item).submission_number, 'digest', b.digest, 'generation', (h.item).generation,
                 'assembled_parts', b.parts) as payload, null as message
          from before b join handed_in h on (h.item).id = b.item_id
        union all
        select 2, c.id, null, 'order.' || c.state, c.type, 'system', null, null, null, null, null, null,
               case when c.state = 'submitted' then 'All items submitted' end
          from counted c where c.moved
      ) f order by f.place
  ), answers as (
    select b.slot, b.who, b.key, b.print, (h.item).order_id as order_id, c.moved and c.state = 'submitted' as full_now,
           '{"item":' || wm.item_json(h.item, k.submission)::text || ',"state":"submitted","order_state":"' || c.state || '"}' as body
      from before b
      join handed_in h on (h.item).id = b.item_id
      join kept k on (k.submission).item_id = b.item_id
      join counted c on c.id = (h.item).order_id
  ), remembered as (
    insert into wm.idempotency (tenant_id, principal, operation, key_hash, fingerprint, status, body, created_at, expires_at)
    select p_tenant, a.who, 'submit_item', decode(a.key, 'hex'), decode(a.print, 'hex'), 202, a.body, v_now,
           v_now + make_interval(secs => p_idempotency_ttl)
      from answers a where a.key is not null
  )
  select b.slot, case when b.ok then 'done' else 'refused' end, case when b.ok then 202 end, a.body, a.order_id, coalesce(a.full_now, false),
         (b.item).state, (b.item).lease_token, (b.item).leased_by_agent_id, (b.item).leased_by_principal, (b.item).require_token,
         (b.item).lease_expires_at, v_now
    from before b left join answers a on a.slot = b.slot;
end $$;
