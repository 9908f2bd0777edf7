-- The hot path: checkout, heartbeat, submit. Each takes a batch of requests of one tenant in one round trip and keeps the one
-- allowed order: lock (orders by id, then items by id) → read the clock in a new statement → guarded write → facts.
--
-- One access path, whatever the statistics say: rows are found by `id = any (…)` on the primary key, what belongs to a request is found by
-- its position in the arrays, and a guard on the state is written as `state || '' = …`, which no partial index matches. Joins against
-- unnest, and guards that match, let the planner walk a whole partial index when it last saw it empty (48 ms at 20,000 queued items);
-- such a plan stays until the next analyze. `order by id` in a subquery pins the primary key for reads. Texts are decoded before they are compared: a function that is not leakproof would keep row
-- security from using the index (26 ms per key at 2,500 keys).
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
  v_contended boolean := false;
  v_candidates uuid[]; v_orders uuid[]; v_locked uuid[]; v_busy uuid[]; v_granted uuid[] := '{}';
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  select array_agg(s.slot), array_agg(s.agent_id), array_agg(s.principal), array_agg(s.actor_type), array_agg(s.actor_id),
         array_agg(s.random), array_agg(s.request_id), array_agg(s.provenance_id), array_agg(s.trace_id)
    into v_slot, v_agent, v_who, v_actor, v_actor_id, v_random, v_request, v_prov, v_trace
    from json_to_recordset(p_slots) as s(slot integer, agent_id text, principal text, actor_type text, actor_id text,
      random text, request_id text, provenance_id uuid, trace_id text);
  v_wanted := array_length(v_slot, 1);

  -- Round 1 takes what lies in orders that nobody else is writing to. Round 2 comes in when round 1 got nothing: it looks past the orders
  -- that are being written to, as far as 1,000 items, so that one held order does not stop the queue. Round 3 waits, and only while
  -- nothing is held yet: whoever waits with locks in hand can deadlock. Requests that come away empty-handed beside others that were
  -- granted, or all of them when a row with slot -1 comes back, are to ask again: items are there, others were faster.
  for v_round in 1 .. 3 loop
    continue when v_round = 2 and p_order is not null;
    if v_round = 2 then
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from (select w.id, w.order_id
                from (select i.id, i.order_id, i.priority from wm.items i
                       where i.tenant_id = p_tenant and i.state = 'queued' and i.priority >= coalesce(p_min_priority, -32768)
                         and (p_type is null or i.order_type = p_type)
                       order by i.priority desc, i.id limit 1000) w
               where w.order_id <> all (v_busy)
               order by w.priority desc, w.id limit v_wanted) c;
      continue when v_candidates is null;
    elsif p_order is not null then
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from (select i.id, i.order_id from wm.items i
               where i.tenant_id = p_tenant and i.order_id = p_order and i.state = 'queued'
               order by i.ordinal limit v_wanted) c;
    elsif p_type is not null then
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from (select i.id, i.order_id from wm.items i
               where i.tenant_id = p_tenant and i.order_type = p_type and i.state = 'queued'
                 and i.priority >= p_min_priority
               order by i.priority desc, i.id limit v_wanted) c;
    else
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from (select i.id, i.order_id from wm.items i
               where i.tenant_id = p_tenant and i.state = 'queued' and i.priority >= p_min_priority
               order by i.priority desc, i.id limit v_wanted) c;
    end if;
    exit when v_candidates is null;

    if v_round < 3 then
      v_busy := v_orders;
      select array_agg(o.id) into v_locked from (
        select l.id from wm.orders l where l.tenant_id = p_tenant and l.id = any (v_orders)
           and l.state in ('queued', 'checked_out', 'in_progress')
         order by l.id for no key update skip locked) o;
    else
      select array_agg(o.id) into v_locked from (
        select l.id from wm.orders l where l.tenant_id = p_tenant and l.id = any (v_orders)
           and l.state in ('queued', 'checked_out', 'in_progress')
         order by l.id for no key update) o;
      -- Orders that took their last item while we waited are no longer ready: others may be.
      v_contended := v_locked is not null or p_order is null;
      -- While we waited, others may have taken the candidates: look again inside the orders that we now hold.
      select array_agg(c.id) into v_candidates
        from (select i.id from wm.items i
               where i.tenant_id = p_tenant and i.order_id = any (v_locked) and i.state = 'queued'
                 and i.priority >= coalesce(p_min_priority, -32768)
               order by i.priority desc, i.id limit v_wanted) c;
    end if;

    if v_locked is not null and v_candidates is not null then
      select coalesce(array_agg(k.id order by k.priority desc, k.id), '{}'), array_agg(distinct k.order_id) into v_granted, v_orders from (
        select i.id, i.order_id, i.priority from wm.items i
         where i.tenant_id = p_tenant and i.id = any (v_candidates) and i.state || '' = 'queued'
           and array_position(v_locked, i.order_id) is not null
         order by i.id for update skip locked) k;
    end if;
    exit when v_granted <> '{}';
  end loop;
  if v_granted = '{}' then
    return query select -1, null::uuid, null::uuid, null::text where v_contended;
    return;
  end if;

  v_now := clock_timestamp();

  return query
  with granted as (
    update wm.items i
       set state = 'leased', attempts = i.attempts + 1, generation = i.generation + 1,
           lease_token = 'wl.' || p_epoch || '.' || (i.generation + 1) || '.' || v_random[array_position(v_granted, i.id)],
           leased_by_agent_id = v_agent[array_position(v_granted, i.id)], leased_by_principal = v_who[array_position(v_granted, i.id)],
           lease_expires_at = v_now + make_interval(secs => i.lease_ttl_seconds),
           last_heartbeat_at = v_now, updated_at = v_now
     where i.tenant_id = p_tenant and i.id = any (v_granted) and i.state || '' = 'queued'
    returning i as item, array_position(v_granted, i.id) as n
  ), opened as (
    update wm.orders o set state = 'checked_out', last_transitioned_at = v_now, updated_at = v_now
     where o.tenant_id = p_tenant and o.id = any (v_orders) and o.state || '' = 'queued'
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

-- A heartbeat never shortens a lease: what a person added (extend_leases) stays.
-- Why a lease verb was refused is told from these facts by the domain (lease-refusal.ts); the guard itself is above.
create or replace function wm.heartbeat_items(p_tenant uuid, p_slots json)
  returns table (slot integer, held boolean, lease_expires_at timestamptz, state text, token text, agent text, who text,
    requires_token boolean, expired_at timestamptz, decided_at timestamptz)
  language plpgsql
  as $$
declare
  v_slot integer[]; v_item uuid[]; v_token text[]; v_agent text[]; v_who text[]; v_actor text[]; v_actor_id text[];
  v_request text[]; v_prov uuid[]; v_trace text[];
  v_orders uuid[];
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  select array_agg(s.slot), array_agg(s.item_id), array_agg(s.token), array_agg(s.agent_id), array_agg(s.principal), array_agg(s.actor_type),
         array_agg(s.actor_id), array_agg(s.request_id), array_agg(s.provenance_id), array_agg(s.trace_id)
    into v_slot, v_item, v_token, v_agent, v_who, v_actor, v_actor_id, v_request, v_prov, v_trace
    from json_to_recordset(p_slots) as s(slot integer, item_id uuid, token text, agent_id text, principal text, actor_type text,
      actor_id text, request_id text, provenance_id uuid, trace_id text);

  -- Only the first heartbeat of an order moves the order, so only then is its row locked.
  select array_agg(j.order_id) into v_orders
    from (select i.order_id from wm.items i
           where i.tenant_id = p_tenant and i.id = any (v_item) and i.state || '' = 'leased' order by i.id) j;
  if v_orders is not null then
    perform 1 from (
      select o.id from wm.orders o where o.tenant_id = p_tenant and o.id = any (v_orders) and o.state || '' = 'checked_out'
       order by o.id for no key update) l;
  end if;
  perform 1 from (
    select i.id from wm.items i where i.tenant_id = p_tenant and i.id = any (v_item) order by i.id for no key update) l;
  v_now := clock_timestamp();

  return query
  with before as materialized (
    select a.n, i.id, i.order_id, i.order_type, i.state, i.lease_token, i.leased_by_agent_id, i.leased_by_principal, i.require_token,
           i.lease_expires_at, i.record_heartbeats, greatest(i.lease_expires_at, v_now + make_interval(secs => i.lease_ttl_seconds)) as until,
           wm.holds_lease(i, v_token[a.n], v_agent[a.n], v_who[a.n], v_now) as ok
      from wm.items i cross join lateral (select array_position(v_item, i.id) as n) a
     where i.tenant_id = p_tenant and i.id = any (v_item)
     order by i.id
  ), beaten as (
    update wm.items i
       set state = 'in_progress', lease_expires_at = greatest(i.lease_expires_at, v_now + make_interval(secs => i.lease_ttl_seconds)),
           last_heartbeat_at = v_now, updated_at = v_now
     where i.tenant_id = p_tenant and i.id = any ((select array_agg(b.id) from before b where b.ok)::uuid[])
  ), begun as (
    update wm.orders o set state = 'in_progress', last_transitioned_at = v_now, updated_at = v_now
     where o.tenant_id = p_tenant and o.state || '' = 'checked_out'
       and o.id = any ((select array_agg(distinct b.order_id) from before b where b.ok)::uuid[])
    returning o.id, o.type
  ), facts as (
    insert into wm.events (tenant_id, order_id, item_id, kind, order_type, actor_type, actor_id, principal, request_id, trace_id,
        provenance_id, priority, payload, decided_at)
    select p_tenant, f.order_id, f.item_id, f.kind, f.type, f.actor, f.actor_id, f.who, f.request, f.trace, f.prov,
        wm.event_priority(f.kind), f.payload, v_now
      from (
        select 1 as place, b.order_id, b.id as item_id, case when b.state = 'leased' then 'item.in_progress' else 'item.heartbeat' end as kind,
               b.order_type as type, v_actor[b.n] as actor, v_actor_id[b.n] as actor_id, v_who[b.n] as who, v_request[b.n] as request,
               v_trace[b.n] as trace, v_prov[b.n] as prov, json_build_object('lease_expires_at', wm.wire_time(b.until)) as payload
          from before b
         where b.ok and (b.state = 'leased' or b.record_heartbeats)
        union all
        select 2, o.id, null, 'order.in_progress', o.type, 'system', null, null, null, null, null, null from begun o
      ) f order by f.place
  )
  select v_slot[b.n], b.ok, case when b.ok then b.until end, b.state, b.lease_token, b.leased_by_agent_id, b.leased_by_principal,
         b.require_token, b.lease_expires_at, v_now
    from before b;
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
  v_request text[]; v_prov uuid[]; v_trace text[]; v_key bytea[]; v_print bytea[]; v_id uuid[]; v_digest text[]; v_parts integer[];
  v_result json[]; v_evidence json[]; v_notes text[];
  v_go boolean[]; v_fresh boolean[]; v_known boolean;
  v_orders uuid[]; v_counts integer[]; v_held uuid[]; v_begun uuid[];
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  select array_agg(s.slot), array_agg(s.item_id), array_agg(s.token), array_agg(s.agent_id), array_agg(s.principal), array_agg(s.actor_type),
         array_agg(s.actor_id), array_agg(s.request_id), array_agg(s.provenance_id), array_agg(s.trace_id), array_agg(decode(s.key_hash, 'hex')),
         array_agg(decode(s.fingerprint, 'hex')), array_agg(s.submission_id), array_agg(s.digest), array_agg(s.assembled_parts),
         array_agg(s.result), array_agg(s.evidence), array_agg(s.notes)
    into v_slot, v_item, v_token, v_agent, v_who, v_actor, v_actor_id, v_request, v_prov, v_trace, v_key, v_print, v_id, v_digest, v_parts,
         v_result, v_evidence, v_notes
    from json_to_recordset(p_slots) as s(slot integer, item_id uuid, token text, agent_id text, principal text, actor_type text,
      actor_id text, request_id text, provenance_id uuid, trace_id text, key_hash text, fingerprint text, submission_id uuid,
      digest text, assembled_parts integer, result json, evidence json, notes text);

  -- Reserve the keys first. A try-lock, because waiting for a paused rival would hang every retry of that key.
  select array_agg(k is null or pg_try_advisory_xact_lock(hashtextextended(p_tenant::text || '|' || w || '|submit_item|' || encode(k, 'hex'), 0)) order by n)
    into v_go from unnest(v_key, v_who) with ordinality as u(k, w, n);
  -- A new statement: it sees what the holder before us committed.
  select array_agg(u.go and p.key_hash is null order by u.n), bool_or(not u.go or p.key_hash is not null) into v_fresh, v_known
    from unnest(v_go, v_who, v_key) with ordinality as u(go, who, key, n)
    left join wm.idempotency p on p.tenant_id = p_tenant and p.principal = u.who and p.operation = 'submit_item'
     and p.key_hash = u.key;
  if v_known then
    return query
      -- Who lost the try-lock to another repeat still gets the answer that is there.
      select u.slot, case when p.key_hash is null then 'in_flight' when p.fingerprint <> u.print then 'mismatch' else 'replay' end,
             p.status, p.body, null::uuid, false, null::text, null::text, null::text, null::text, null::boolean, null::timestamptz, null::timestamptz
        from unnest(v_slot, v_go, v_who, v_key, v_print) as u(slot, go, who, key, print)
        left join wm.idempotency p on p.tenant_id = p_tenant and p.principal = u.who and p.operation = 'submit_item'
         and p.key_hash = u.key
       where u.key is not null and (not u.go or p.key_hash is not null);
    v_go := v_fresh;
  end if;

  select array_agg(j.order_id) into v_orders
    from (select i.order_id from wm.items i where i.tenant_id = p_tenant and i.id = any (v_item) order by i.id) j;
  perform 1 from (
    select o.id from wm.orders o where o.tenant_id = p_tenant and o.id = any (v_orders) order by o.id for no key update) l;
  perform 1 from (
    select i.id from wm.items i where i.tenant_id = p_tenant and i.id = any (v_item) order by i.id for no key update) l;
  v_now := clock_timestamp();

  select array_agg(j.id), array_agg(j.id) filter (where j.state = 'leased') into v_held, v_begun
    from (select i.id, i.state, i.order_id, wm.holds_lease(i, v_token[a.n], v_agent[a.n], v_who[a.n], v_now) as ok
            from wm.items i cross join lateral (select array_position(v_item, i.id) as n) a
           where i.tenant_id = p_tenant and i.id = any (v_item) and v_go[a.n]
           order by i.id) j
   where j.ok;
  select array_agg(c.id), array_agg(c.n) into v_orders, v_counts
    from (select j.order_id as id, count(*)::integer as n
            from (select i.order_id from wm.items i where i.tenant_id = p_tenant and i.id = any (v_held) order by i.id) j
           group by j.order_id) c;

  if v_held is null or cardinality(v_held) < cardinality(v_item) then
    return query
      select v_slot[a.n], 'refused', null::integer, null::text, null::uuid, false, i.state, i.lease_token, i.leased_by_agent_id,
             i.leased_by_principal, i.require_token, i.lease_expires_at, v_now
        from wm.items i cross join lateral (select array_position(v_item, i.id) as n) a
       where i.tenant_id = p_tenant and i.id = any (v_item) and v_go[a.n] and (v_held is null or i.id <> all (v_held));
  end if;
  if v_held is null then
    return;
  end if;

  -- Straight from leased, an item passes through in_progress: two facts, one transaction.
  if v_begun is not null then
    with begun as (
      update wm.items i set state = 'in_progress'
       where i.tenant_id = p_tenant and i.id = any (v_begun) and i.state || '' = 'leased'
      returning i.order_id, i.id, i.order_type, array_position(v_item, i.id) as n
    )
    insert into wm.events (tenant_id, order_id, item_id, kind, order_type, actor_type, actor_id, principal, request_id, trace_id,
        provenance_id, priority, decided_at)
    select p_tenant, b.order_id, b.id, 'item.in_progress', b.order_type, v_actor[b.n], v_actor_id[b.n], v_who[b.n], v_request[b.n],
        v_trace[b.n], v_prov[b.n], wm.event_priority('item.in_progress'), v_now from begun b;
  end if;

  return query
  with handed_in as (
    update wm.items i
       set state = 'submitted', submission_number = i.submission_number + 1, updated_at = v_now, error = null,
           lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null
     where i.tenant_id = p_tenant and i.id = any (v_held) and i.state || '' = 'in_progress'
    returning i as item, i.id, i.order_id, i.order_type, i.submission_number as number, i.generation, array_position(v_item, i.id) as n
  ), kept as (
    insert into wm.submissions (tenant_id, id, order_id, item_id, number, result, evidence, notes, digest, assembled_parts,
        submitted_by_agent_id, submitted_by_principal, generation, decided_at)
    select p_tenant, v_id[h.n], h.order_id, h.id, h.number, v_result[h.n], v_evidence[h.n], v_notes[h.n], v_digest[h.n], v_parts[h.n],
        v_agent[h.n], v_who[h.n], h.generation, v_now
      from handed_in h
    returning item_id, submissions as submission
  ), counted as (
    update wm.orders o
       set items_submitted = o.items_submitted + v_counts[array_position(v_orders, o.id)], updated_at = v_now,
           state = case when o.items_submitted + v_counts[array_position(v_orders, o.id)] + o.items_dead >= o.items_total then 'submitted'
                        when o.state = 'checked_out' then 'in_progress' else o.state end,
           last_transitioned_at = case when o.items_submitted + v_counts[array_position(v_orders, o.id)] + o.items_dead >= o.items_total
                                         or o.state = 'checked_out'
                                       then v_now else o.last_transitioned_at end
     where o.tenant_id = p_tenant and o.id = any (v_orders)
    returning o.id, o.type, o.state, o.last_transitioned_at = v_now as moved
  ), facts as (
    insert into wm.events (tenant_id, order_id, item_id, kind, order_type, actor_type, actor_id, principal, request_id, trace_id,
        provenance_id, priority, payload, message, decided_at)
    select p_tenant, f.order_id, f.item_id, f.kind, f.type, f.actor, f.actor_id, f.who, f.request, f.trace, f.prov,
        wm.event_priority(f.kind), f.payload, f.message, v_now
      from (
        select 1 as place, h.order_id, h.id as item_id, 'item.submitted' as kind, h.order_type as type, v_actor[h.n] as actor,
               v_actor_id[h.n] as actor_id, v_who[h.n] as who, v_request[h.n] as request, v_trace[h.n] as trace, v_prov[h.n] as prov,
               json_build_object('number', h.number, 'digest', v_digest[h.n], 'generation', h.generation,
                 'assembled_parts', v_parts[h.n]) as payload, null as message
          from handed_in h
        union all
        select 2, c.id, null, 'order.' || c.state, c.type, 'system', null, null, null, null, null, null,
               case when c.state = 'submitted' then 'All items submitted' end
          from counted c where c.moved
      ) f order by f.place
  ), answers as materialized (
    select h.n, h.order_id, c.moved and c.state = 'submitted' as full_now,
           '{"item":' || wm.item_json(h.item, k.submission)::text || ',"state":"submitted","order_state":"' || c.state || '"}' as body
      from handed_in h
      join kept k on k.item_id = h.id
      join counted c on c.id = h.order_id
  ), remembered as (
    insert into wm.idempotency (tenant_id, principal, operation, key_hash, fingerprint, status, body, created_at, expires_at)
    select p_tenant, v_who[a.n], 'submit_item', v_key[a.n], v_print[a.n], 202, a.body, v_now,
           v_now + make_interval(secs => p_idempotency_ttl)
      from answers a where v_key[a.n] is not null
  )
  select v_slot[a.n], 'done', 202, a.body, a.order_id, a.full_now, 'submitted', null::text, null::text, null::text, null::boolean,
         null::timestamptz, v_now
    from answers a;
end $$;
