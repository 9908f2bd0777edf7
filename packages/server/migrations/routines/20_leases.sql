-- The hot path: checkout, heartbeat, submit. Each takes a batch of requests of one tenant in one round trip and keeps the one
-- allowed order: lock (orders by id, then items by id) → read the clock in a new statement → guarded write → events.
--
-- One access path, whatever the statistics say: rows are found by `id = any (…)` on the primary key, what belongs to a request is found by
-- its position in the arrays, and a guard on the state of an order is written as `state || '' = …`, which no partial index matches. Joins against
-- unnest, and guards that match, let the planner walk a whole partial index when it last saw it empty (48 ms at 20,000 queued items);
-- such a plan stays until the next analyze. `order by id` in a subquery pins the primary key for reads. Texts are decoded before they are compared: a function that is not leakproof would keep row
-- security from using the index (26 ms per key at 2,500 keys).
-- `exp > clock_timestamp()` inside the locking statement would judge an expired lease live after a lock wait; see docs/decisions.

-- The lease rule, once: held = live, by this principal under this agent id, and with the token of the latest grant.
create or replace function wm.holds_lease(i wm.items, token text, agent text, who text, at timestamptz) returns boolean
  language sql immutable
  as $$
  select wm.item_is_held(i.state) and at <= i.lease_expires_at
    and i.leased_by_principal = who and i.leased_by_agent_id = agent
    and (i.lease_token = token or (token is null and not i.require_token))
$$;

-- A pause and a grant exclude each other: whoever grants, applies or sends holds these shared until its commit, whoever pauses holds one
-- of them exclusively. Taken before any row lock; the pauses are read in a statement of its own afterwards.
create or replace function wm.share_pauses(p_tenant uuid) returns void
  language plpgsql
  as $$
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('wm.pauses', 0)),
          pg_advisory_xact_lock_shared(hashtextextended('wm.pauses|' || p_tenant::text, 0));
end $$;

-- The widest pause that stops this agent (by its id or by its principal) or this type now, as JSON; null: none. A null agent or type is
-- not asked for. Called after wm.share_pauses its answer holds until the commit.
create or replace function wm.pause_in_force(p_tenant uuid, p_agent text, p_principal text, p_type text) returns json
  language sql stable
  as $$
  select json_build_object('scope', f.scope, 'subject', f.subject, 'reason', f.reason, 'paused_at', wm.wire_time(f.paused_at))
    from (select 0 as place, 'everything' as scope, '' as subject, c.pause_reason as reason, c.paused_at from wm.cluster c where c.paused_at is not null
          union all
          select case p.scope when 'tenant' then 1 when 'type' then 2 else 3 end, p.scope, p.subject, p.reason, p.paused_at from wm.pauses p
           where p.tenant_id = p_tenant
             and (p.scope = 'tenant' or p.scope = 'type' and p.subject = p_type or p.scope = 'agent' and p.subject in (p_agent, p_principal))
          ) f
   order by f.place limit 1
$$;

-- The pause of the agent alone, whatever else is paused: intent is still taken while a type or the tenant stands still.
create or replace function wm.share_agent_pause(p_tenant uuid, p_agent text, p_principal text) returns json
  language plpgsql
  as $$
begin
  perform wm.share_pauses(p_tenant);
  return (select json_build_object('scope', p.scope, 'subject', p.subject, 'reason', p.reason, 'paused_at', wm.wire_time(p.paused_at))
            from wm.pauses p where p.tenant_id = p_tenant and p.scope = 'agent' and p.subject in (p_agent, p_principal) limit 1);
end $$;

-- Why a key no longer works: revoked, expired, suspended (its tenant); null while it does.
create or replace function wm.key_end(p_tenant uuid, p_key uuid) returns text
  language sql volatile
  as $$
  select case when k.id is null or k.revoked_at <= clock_timestamp() then 'revoked' when k.expires_at <= clock_timestamp() then 'expired'
              when t.suspended_at is not null then 'suspended' end
    from wm.tenants t left join wm.api_keys k on k.tenant_id = t.id and k.id = p_key where t.id = p_tenant
$$;

-- wm.share_pauses and wm.pause_in_force in one trip.
create or replace function wm.share_pause(p_tenant uuid, p_agent text, p_principal text, p_type text) returns json
  language plpgsql
  as $$
begin
  perform wm.share_pauses(p_tenant);
  return wm.pause_in_force(p_tenant, p_agent, p_principal, p_type);
end $$;

-- A plain query, so that the planner writes it into the statement that asks: a call costs nothing of its own.
-- Ask in a statement after the one that took the lock on the tenant's leases.
-- Which of the requests p_asking (places in p_agents and p_who) the limit of leases per agent has room for; whoever came first goes first.
-- An agent id counts under the principal that names it: nobody uses up what another one may have.
create or replace function wm.within_agent_limit(p_tenant uuid, p_max integer, p_agents text[], p_who text[], p_asking integer[])
  returns table (n integer)
  language sql stable
  as $$
  select k.n from (select u.n, row_number() over (partition by p_agents[u.n], p_who[u.n] order by u.n) as place from unnest(p_asking) as u(n)) k
   where k.place + (select count(*) from wm.items i where i.tenant_id = p_tenant and i.leased and i.leased_by_agent_id = p_agents[k.n]
                       and i.leased_by_principal = p_who[k.n]) <= p_max
$$;

-- The same for all agent ids that one principal names together.
create or replace function wm.within_principal_limit(p_tenant uuid, p_max integer, p_who text[], p_asking integer[]) returns table (n integer)
  language sql stable
  as $$
  select k.n from (select u.n, row_number() over (partition by p_who[u.n] order by u.n) as place from unnest(p_asking) as u(n)) k
   where k.place + (select count(*) from wm.items i where i.tenant_id = p_tenant and i.leased and i.leased_by_principal = p_who[k.n]) <= p_max
$$;

-- Which items a checkout looks at first: ids and orders of ready items, the most urgent first, at most p_most, without those that are kept
-- from all of p_who (15_dropped.sql). Plain queries as well.

-- Of the items that a hint names, in its order.
create or replace function wm.hinted_candidates(p_tenant uuid, p_hints uuid[], p_order uuid, p_types text[], p_min integer, p_most integer, p_who text[])
  returns table (id uuid, order_id uuid)
  language sql stable
  as $$
  select h.id, h.order_id
    from (select i.id, i.order_id from wm.items i
           where i.tenant_id = p_tenant and i.id = any (p_hints) and i.state = 'queued' and i.priority >= p_min
             and (p_order is null or i.order_id = p_order) and (p_types is null or i.order_type = any (p_types))
             and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, p_who, extract(epoch from statement_timestamp())))
           order by i.id) h
   order by array_position(p_hints, h.id) limit p_most
$$;

create or replace function wm.candidates_of_order(p_tenant uuid, p_order uuid, p_most integer, p_who text[]) returns table (id uuid, order_id uuid)
  language sql stable
  as $$
  select i.id, i.order_id from wm.items i
   where i.tenant_id = p_tenant and i.order_id = p_order and i.state = 'queued'
     and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, p_who, extract(epoch from statement_timestamp())))
   order by i.ordinal limit p_most
$$;

create or replace function wm.candidates_of_queue(p_tenant uuid, p_min integer, p_most integer, p_who text[])
  returns table (id uuid, order_id uuid, due_at timestamptz, priority integer)
  language sql stable
  as $$
  select i.id, i.order_id, i.due_at, i.priority from wm.items i
   where i.tenant_id = p_tenant and i.ready and i.priority >= p_min
     and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, p_who, extract(epoch from statement_timestamp())))
   order by i.due_at, i.priority, i.id limit p_most
$$;

-- As many of each type as it has room for, the most urgent of them all first.
create or replace function wm.candidates_of_types(p_tenant uuid, p_types text[], p_rooms integer[], p_min integer, p_most integer, p_who text[])
  returns table (id uuid, order_id uuid, due_at timestamptz, priority integer)
  language sql stable
  as $$
  select w.id, w.order_id, w.due_at, w.priority
    from unnest(p_types, p_rooms) as t(type, room) cross join lateral (
      select i.id, i.order_id, i.due_at, i.priority from wm.items i
       where i.tenant_id = p_tenant and i.order_type = t.type and i.ready and i.priority >= p_min
         and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, p_who, extract(epoch from statement_timestamp())))
       order by i.due_at, i.priority, i.id limit least(t.room, p_most)) w
   order by w.due_at, w.priority, w.id limit p_most
$$;

-- The same, past the orders p_busy, as far as 1,000 items of a type.
create or replace function wm.candidates_past(p_tenant uuid, p_types text[], p_rooms integer[], p_min integer, p_busy uuid[], p_most integer, p_who text[])
  returns table (id uuid, order_id uuid, due_at timestamptz, priority integer)
  language sql stable
  as $$
  select w.id, w.order_id, w.due_at, w.priority
    from unnest(p_types, p_rooms) as t(type, room) cross join lateral (
      select f.* from (
        select i.id, i.order_id, i.due_at, i.priority from wm.items i
         where i.tenant_id = p_tenant and i.order_type = t.type and i.ready and i.priority >= p_min
           and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, p_who, extract(epoch from statement_timestamp())))
         order by i.due_at, i.priority, i.id limit 1000) f
       where f.order_id <> all (p_busy) limit least(t.room, p_most)) w
   order by w.due_at, w.priority, w.id limit p_most
$$;

-- Grants up to one item per slot. p_filter: order, type, min_priority, epoch, heartbeat_every; candidates: ids that a hint says are ready;
-- limits: {agent, principal, type, tenant, types: {type: n}}, how many leases may be in force at once, each optional.
-- verdict: leased | limited (body: which limit) | paused (body: which pause) | contended (slot -1: items are there, others were faster).
create or replace function wm.lease_items(p_tenant uuid, p_filter json, p_slots json)
  returns table (slot integer, verdict text, item_id uuid, order_id uuid, body text)
  language plpgsql
  as $$
declare
  v_slot integer[]; v_agent text[]; v_who text[]; v_actor text[]; v_actor_id text[]; v_random text[]; v_request text[]; v_prov uuid[]; v_trace text[];
  v_order constant uuid := (p_filter ->> 'order')::uuid;
  v_type text := p_filter ->> 'type';
  v_min constant integer := coalesce((p_filter ->> 'min_priority')::integer, -32768);
  v_hints constant uuid[] := (select array_agg(h::uuid) from json_array_elements_text(
    case json_typeof(p_filter -> 'candidates') when 'array' then p_filter -> 'candidates' else '[]' end) h);
  -- Read once: every look into a document reads all of it, and limits of 1,000 types make it large.
  v_epoch constant text := p_filter ->> 'epoch';
  v_heartbeat_every constant integer := (p_filter ->> 'heartbeat_every')::integer;
  v_limits constant json := p_filter -> 'limits';
  v_agent_max constant integer := (v_limits ->> 'agent')::integer;
  v_principal_max constant integer := (v_limits ->> 'principal')::integer;
  v_tenant_max constant integer := (v_limits ->> 'tenant')::integer;
  v_type_max constant integer := (v_limits ->> 'type')::integer;
  v_type_own constant json := v_limits -> 'types';
  v_by_type constant boolean := v_type_max is not null or json_typeof(v_type_own) = 'object';
  v_pause_types text[]; v_pause_agents text[]; v_pause_all boolean;
  -- The key of each request, null: none; and the places of those whose key has ended.
  v_key uuid[]; v_ended integer[];
  -- The requests that go on, as places in the arrays above; null: none.
  v_keep integer[]; v_asking integer[];
  -- Leases in force: of the tenant, and by type.
  v_held integer; v_held_by_type jsonb;
  -- The types that may be taken from and how many of each; null: all of them, without a limit.
  v_types text[]; v_rooms integer[]; v_full text[];
  -- They lie in so many rows from the head of the queue; null: nobody looked.
  v_far integer;
  v_wanted integer;
  v_contended boolean := false;
  v_dropped boolean;
  v_candidates uuid[]; v_orders uuid[]; v_locked uuid[]; v_busy uuid[]; v_granted uuid[] := '{}';
  v_now timestamptz;
begin
  -- The requests, as arrays.
  perform set_config('wm.tenant_id', p_tenant::text, true);
  select array_agg(s.slot), array_agg(s.agent_id), array_agg(s.principal), array_agg(s.actor_type), array_agg(s.actor_id),
         array_agg(s.random), array_agg(s.request_id), array_agg(s.provenance_id), array_agg(s.trace_id), array_agg(s.key_id)
    into v_slot, v_agent, v_who, v_actor, v_actor_id, v_random, v_request, v_prov, v_trace, v_key
    from json_to_recordset(p_slots) as s(slot integer, agent_id text, principal text, actor_type text, actor_id text,
      random text, request_id text, provenance_id uuid, trace_id text, key_id uuid);

  -- Pauses: who may ask at all.
  -- wm.share_pauses, spelled out: a call costs as much as both locks. Mostly nothing is paused, which two short looks tell.
  perform pg_advisory_xact_lock_shared(hashtextextended('wm.pauses', 0)),
          pg_advisory_xact_lock_shared(hashtextextended('wm.pauses|' || p_tenant::text, 0));
  if exists (select from wm.pauses p where p.tenant_id = p_tenant) or exists (select from wm.cluster c where c.paused_at is not null) then
    select array_agg(p.subject) filter (where p.scope = 'type'), array_agg(p.subject) filter (where p.scope = 'agent'),
           bool_or(c.paused_at is not null or p.scope is not distinct from 'tenant')
      into v_pause_types, v_pause_agents, v_pause_all
      from wm.cluster c left join wm.pauses p on p.tenant_id = p_tenant;
  end if;
  if v_order is not null and (v_pause_types is not null or v_by_type) then
    select o.type into v_type from wm.orders o where o.tenant_id = p_tenant and o.id = v_order;
  end if;
  if v_pause_all or v_pause_agents is not null or v_type = any (v_pause_types) then
    select array_agg(k.n order by k.n) filter (where k.pause is null) into v_keep
      from (select n, wm.pause_in_force(p_tenant, v_agent[n], v_who[n], v_type) as pause from generate_subscripts(v_slot, 1) n) k;
    return query
      select v_slot[n], 'paused', null::uuid, null::uuid, wm.pause_in_force(p_tenant, v_agent[n], v_who[n], v_type)::text
        from generate_subscripts(v_slot, 1) n where v_keep is null or n <> all (v_keep);
  else
    select array_agg(n) into v_keep from generate_subscripts(v_slot, 1) n;
  end if;
  -- Keys: a caller may have waited for longer than its key lived. Whoever ends one waits for the lock above, so no grant comes after its end.
  select array_agg(u.n) into v_ended from unnest(v_keep) as u(n) 
   where v_key[u.n] is not null and not exists (
     select from wm.api_keys k join wm.tenants t on t.id = k.tenant_id
      where k.tenant_id = p_tenant and k.id = v_key[u.n] and t.suspended_at is null
        and (k.revoked_at is null or k.revoked_at > clock_timestamp()) and (k.expires_at is null or k.expires_at > clock_timestamp()));
  if v_ended is not null then
    return query select v_slot[u.n], 'key_ended', null::uuid, null::uuid, wm.key_end(p_tenant, v_key[u.n]) from unnest(v_ended) as u(n);
    select array_agg(u.n order by u.n) into v_keep from unnest(v_keep) as u(n) where u.n <> all (v_ended);
  end if;
  if v_keep is null then
    return;
  end if;

  -- Limits of the agent and the tenant: who of those may have one more.
  -- Leases in force are counted under a lock that every grant of the tenant holds until its commit: the count is exact, never one too many.
  if v_agent_max is not null or v_principal_max is not null or v_tenant_max is not null or v_by_type then
    perform pg_advisory_xact_lock(hashtextextended('wm.leases|' || p_tenant::text, 0));
    if v_agent_max is not null then
      v_asking := v_keep;
      select array_agg(w.n order by w.n) into v_keep from wm.within_agent_limit(p_tenant, v_agent_max, v_agent, v_who, v_asking) w;
      return query
        select v_slot[u.n], 'limited', null::uuid, null::uuid, json_build_object('limit', 'agent', 'max', v_agent_max)::text
          from unnest(v_asking) as u(n) where v_keep is null or u.n <> all (v_keep);
    end if;
    if v_principal_max is not null and v_keep is not null then
      v_asking := v_keep;
      select array_agg(w.n order by w.n) into v_keep from wm.within_principal_limit(p_tenant, v_principal_max, v_who, v_asking) w;
      return query
        select v_slot[u.n], 'limited', null::uuid, null::uuid, json_build_object('limit', 'principal', 'max', v_principal_max)::text
          from unnest(v_asking) as u(n) where v_keep is null or u.n <> all (v_keep);
    end if;
    if v_tenant_max is not null or v_by_type then
      select coalesce(sum(c.n), 0), jsonb_object_agg(c.type, c.n) into v_held, v_held_by_type
        from (select i.order_type as type, count(*) as n from wm.items i where i.tenant_id = p_tenant and i.leased group by i.order_type) c;
    end if;
    if v_held + coalesce(cardinality(v_keep), 0) > v_tenant_max then
      return query
        select v_slot[u.n], 'limited', null::uuid, null::uuid, json_build_object('limit', 'tenant', 'max', v_tenant_max)::text
          from unnest(v_keep) with ordinality as u(n, place) where u.place > v_tenant_max - v_held;
      v_keep := v_keep[1:greatest(0, v_tenant_max - v_held)];
    end if;
    if v_keep is null or v_keep = '{}' then
      return;
    end if;
  end if;

  -- Limits and pauses of types: what may be taken.
  -- Where some types may not be taken from, candidates come type by type, so that a saturated one at the head costs nobody a scan.
  if v_by_type or v_pause_types is not null then
    select array_agg(r.type) filter (where r.room > 0), array_agg(r.room) filter (where r.room > 0), array_agg(r.type) filter (where r.room <= 0), max(r.far)
      into v_types, v_rooms, v_full, v_far
      from wm.room_by_type(p_tenant, v_type, v_type_max, v_type_own, v_held_by_type, v_pause_types, v_min, cardinality(v_keep), null,
        (select array_agg(v_who[n]) from unnest(v_keep) as n)) r;
    if v_types is null then
      return query
        select v_slot[n], 'limited', null::uuid, null::uuid,
               json_build_object('limit', 'type', 'max', coalesce((v_type_own ->> v_full[1])::integer, v_type_max), 'type', v_full[1])::text
          from unnest(v_keep) n where v_full is not null;
      return;
    end if;
  elsif v_type is not null then
    v_types := array[v_type];
    v_rooms := array[1000];
  end if;

  -- From here on the arrays hold the requests that go on, and nobody else.
  v_wanted := cardinality(v_keep);
  if v_wanted < cardinality(v_slot) then
    select array_agg(v_slot[u.n] order by u.place), array_agg(v_agent[u.n] order by u.place), array_agg(v_who[u.n] order by u.place),
           array_agg(v_actor[u.n] order by u.place), array_agg(v_actor_id[u.n] order by u.place), array_agg(v_random[u.n] order by u.place),
           array_agg(v_request[u.n] order by u.place), array_agg(v_prov[u.n] order by u.place), array_agg(v_trace[u.n] order by u.place)
      into v_slot, v_agent, v_who, v_actor, v_actor_id, v_random, v_request, v_prov, v_trace
      from unnest(v_keep) with ordinality as u(n, place);
  end if;

  -- Candidates and their locks, in rounds until something is held.
  -- Round 0 takes what the hint names. Round 1 takes what lies in orders that nobody else is writing to. Round 2 comes in when round 1 got
  -- nothing: it looks past the orders that are being written to, as far as 1,000 items, so that one held order does not stop the queue.
  -- Round 3 waits, and only while nothing is held yet: whoever waits with locks in hand can deadlock. Requests that come away empty-handed
  -- beside others that were granted, or all of them when a row with slot -1 comes back, are to ask again: items are there, others were faster.
  for v_round in 0 .. 3 loop
    continue when v_round = 2 and v_order is not null or v_round = 0 and v_hints is null;

    -- Which items: the first of the queue, of the order or of the types.
    if v_round = 0 then
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from wm.hinted_candidates(p_tenant, v_hints, v_order, v_types, v_min, v_wanted, v_who) c;
    elsif v_round = 2 then
      if v_types is null then
        select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
          from (select w.id, w.order_id from wm.candidates_of_queue(p_tenant, v_min, 1000, v_who) w
                 where w.order_id <> all (v_busy)
                 order by w.due_at, w.priority, w.id limit v_wanted) c;
      else
        -- The types above are those of the first items, which may all lie in held orders: others may be further on.
        if v_type is null then
          select coalesce(array_agg(r.type), v_types), coalesce(array_agg(r.room), v_rooms) into v_types, v_rooms
            from wm.room_by_type(p_tenant, null, v_type_max, v_type_own, v_held_by_type, v_pause_types, v_min, v_wanted, v_busy, v_who) r
           where r.room > 0;
        end if;
        select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
          from wm.candidates_past(p_tenant, v_types, v_rooms, v_min, v_busy, v_wanted, v_who) c;
      end if;
      continue when v_candidates is null;
    elsif v_order is not null then
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from wm.candidates_of_order(p_tenant, v_order, v_wanted, v_who) c;
    elsif v_far is not null and v_round = 1 then
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from wm.candidates_within(p_tenant, v_types, v_rooms, v_min, v_far, v_wanted, v_who) c;
    elsif v_types is not null then
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from wm.candidates_of_types(p_tenant, v_types, v_rooms, v_min, v_wanted, v_who) c;
    else
      select array_agg(c.id), array_agg(distinct c.order_id) into v_candidates, v_orders
        from wm.candidates_of_queue(p_tenant, v_min, v_wanted, v_who) c;
    end if;
    continue when v_round = 0 and v_candidates is null;
    exit when v_candidates is null;

    -- Their orders, by id.
    if v_round < 3 then
      v_busy := v_orders;
      select array_agg(o.id) into v_locked from (
        select l.id from wm.orders l where l.tenant_id = p_tenant and l.id = any (v_orders)
           and wm.order_is_open(l.state)
         order by l.id for no key update skip locked) o;
    else
      select array_agg(o.id) into v_locked from (
        select l.id from wm.orders l where l.tenant_id = p_tenant and l.id = any (v_orders)
           and wm.order_is_open(l.state)
         order by l.id for no key update) o;
      -- Orders that took their last item while we waited are no longer ready: others may be.
      v_contended := v_locked is not null or v_order is null;
      -- While we waited, others may have taken the candidates: look again inside the orders that we now hold.
      select array_agg(c.id) into v_candidates
        from (select i.id from wm.items i
               where i.tenant_id = p_tenant and i.order_id = any (v_locked) and i.state = 'queued' and i.priority >= v_min
                 and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, v_who, extract(epoch from clock_timestamp())))
               order by i.due_at, i.priority, i.id limit v_wanted) c;
    end if;

    -- The items, by id.
    if v_locked is not null and v_candidates is not null then
      -- Each type gives as many as its limit has room for, however the candidates came about.
      select coalesce(array_agg(k.id order by k.due_at, k.priority, k.id), '{}'), array_agg(distinct k.order_id), bool_or(k.dropped)
        into v_granted, v_orders, v_dropped
        from (select j.*, row_number() over (partition by j.order_type order by j.due_at, j.priority, j.id) as place
                from (select i.id, i.order_id, i.order_type, i.due_at, i.priority, i.dropped_by is not null as dropped from wm.items i
                       where i.tenant_id = p_tenant and i.id = any (v_candidates) and i.state = 'queued'
                         and array_position(v_locked, i.order_id) is not null
                       order by i.id for update skip locked) j) k
       where v_types is null or k.place <= v_rooms[array_position(v_types, k.order_type)];
      if v_dropped then
        v_granted := wm.for_whom(p_tenant, v_granted, v_who, clock_timestamp());
        select array_agg(distinct i.order_id) into v_orders from wm.items i where i.tenant_id = p_tenant and i.id = any (v_granted);
        if v_orders is null then
          v_granted := '{}';
        end if;
      end if;
    end if;
    exit when v_granted <> '{}';
  end loop;
  if v_granted = '{}' then
    return query select -1, 'contended', null::uuid, null::uuid, null::text where v_contended;
    return;
  end if;

  -- The clock, now that the locks are held; then the grant and its events.
  v_now := clock_timestamp();

  return query
  with granted as (
    update wm.items i
       set state = 'leased', attempts = i.attempts + 1, generation = i.generation + 1,
           lease_token = 'wl.' || v_epoch || '.' || (i.generation + 1) || '.' || v_random[array_position(v_granted, i.id)],
           leased_by_agent_id = v_agent[array_position(v_granted, i.id)], leased_by_principal = v_who[array_position(v_granted, i.id)],
           lease_expires_at = v_now + make_interval(secs => least(i.lease_ttl_seconds, i.max_lease_seconds)),
           leased_at = v_now, lease_ends_by = v_now + make_interval(secs => i.max_lease_seconds),
           last_heartbeat_at = v_now, updated_at = v_now
     where i.tenant_id = p_tenant and i.id = any (v_granted) and i.state = 'queued'
    returning i as item, array_position(v_granted, i.id) as n
  ), opened as (
    update wm.orders o set state = 'checked_out', last_transitioned_at = v_now, updated_at = v_now
     where o.tenant_id = p_tenant and o.id = any (v_orders) and o.state || '' = 'queued'
    returning o.id, o.type, o.correlation_id, o.session_key
  ), events as (
    -- One row, in the order in which the events belong: the item's first.
    insert into wm.intake (tenant_id, decided_at, kinds, subject_ids, root_ids, labels, actor_types, actor_ids, principals, request_ids,
        trace_ids, provenance_ids, correlation_ids, session_keys, payloads)
    select p_tenant, v_now, array_agg(f.kind), array_agg(f.subject_id), array_agg(f.order_id), array_agg(f.type), array_agg(f.actor),
        array_agg(f.actor_id), array_agg(f.who), array_agg(f.request), array_agg(f.trace), array_agg(f.prov), array_agg(f.correlation),
        array_agg(f.session), array_agg(f.payload)
      from (
        select 1 as place, 'item.leased' as kind, (g.item).id as subject_id, (g.item).order_id as order_id, (g.item).order_type as type,
               v_actor[g.n] as actor, v_actor_id[g.n] as actor_id, v_who[g.n] as who, v_request[g.n] as request,
               coalesce(v_trace[g.n], substr((g.item).traceparent, 4, 32)) as trace,
               v_prov[g.n] as prov, (g.item).correlation_id as correlation, (g.item).session_key as session,
               json_build_object('lease_expires_at', wm.wire_time((g.item).lease_expires_at), 'generation', (g.item).generation,
                 'attempt', (g.item).attempts)::text as payload
          from granted g
        union all
        select 2, 'order.checked_out', o.id, o.id, o.type, 'system', null, null, null, null, null, o.correlation_id, o.session_key, null
          from opened o
         order by place
      ) f
  )
  select v_slot[g.n], 'leased', (g.item).id, (g.item).order_id, wm.leased_item_json(g.item, v_heartbeat_every)::text
    from granted g;
end $$;

-- A heartbeat never shortens a lease: what a person added (extend_leases) stays. Nor does it carry one past lease_ends_by.
-- `no_later_than`: what a heartbeat that is told late (written behind) may extend to; null: its full time from now.
-- Why a lease verb was refused is told from these events by the domain (work/leases/decide.ts); the guard itself is above.
create or replace function wm.heartbeat_items(p_tenant uuid, p_slots json)
  returns table (slot integer, held boolean, lease_expires_at timestamptz, state text, token text, agent text, who text,
    requires_token boolean, expired_at timestamptz, decided_at timestamptz)
  language plpgsql
  as $$
declare
  v_slot integer[]; v_item uuid[]; v_token text[]; v_agent text[]; v_who text[]; v_actor text[]; v_actor_id text[];
  v_request text[]; v_prov uuid[]; v_trace text[]; v_most timestamptz[];
  v_orders uuid[];
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  select array_agg(s.slot), array_agg(s.item_id), array_agg(s.token), array_agg(s.agent_id), array_agg(s.principal), array_agg(s.actor_type),
         array_agg(s.actor_id), array_agg(s.request_id), array_agg(s.provenance_id), array_agg(s.trace_id),
         array_agg(s.no_later_than)
    into v_slot, v_item, v_token, v_agent, v_who, v_actor, v_actor_id, v_request, v_prov, v_trace, v_most
    from json_to_recordset(p_slots) as s(slot integer, item_id uuid, token text, agent_id text, principal text, actor_type text,
      actor_id text, request_id text, provenance_id uuid, trace_id text, no_later_than timestamptz);

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
           i.lease_expires_at, i.record_heartbeats, greatest(i.lease_expires_at, least(v_now + make_interval(secs => i.lease_ttl_seconds), i.lease_ends_by, v_most[a.n])) as until,
           i.correlation_id, i.session_key, substr(i.traceparent, 4, 32) as trace, wm.holds_lease(i, v_token[a.n], v_agent[a.n], v_who[a.n], v_now) as ok
      from wm.items i cross join lateral (select array_position(v_item, i.id) as n) a
     where i.tenant_id = p_tenant and i.id = any (v_item)
     order by i.id
  ), beaten as (
    update wm.items i
       set state = 'in_progress', lease_expires_at = greatest(i.lease_expires_at,
             least(v_now + make_interval(secs => i.lease_ttl_seconds), i.lease_ends_by, v_most[array_position(v_item, i.id)])),
           last_heartbeat_at = v_now, updated_at = v_now
     where i.tenant_id = p_tenant and i.id = any ((select array_agg(b.id) from before b where b.ok)::uuid[])
  ), begun as (
    update wm.orders o set state = 'in_progress', last_transitioned_at = v_now, updated_at = v_now
     where o.tenant_id = p_tenant and o.state || '' = 'checked_out'
       and o.id = any ((select array_agg(distinct b.order_id) from before b where b.ok)::uuid[])
    returning o.id, o.type, o.correlation_id, o.session_key
  ), events as (
    insert into wm.intake (tenant_id, decided_at, kinds, subject_ids, root_ids, labels, actor_types, actor_ids, principals, request_ids,
        trace_ids, provenance_ids, correlation_ids, session_keys, payloads)
    select p_tenant, v_now, array_agg(f.kind), array_agg(f.subject_id), array_agg(f.order_id), array_agg(f.type), array_agg(f.actor),
        array_agg(f.actor_id), array_agg(f.who), array_agg(f.request), array_agg(f.trace), array_agg(f.prov), array_agg(f.correlation),
        array_agg(f.session), array_agg(f.payload)
      from (
        select 1 as place, case when b.state = 'leased' then 'item.in_progress' else 'item.heartbeat' end as kind, b.id as subject_id, b.order_id,
               b.order_type as type, v_actor[b.n] as actor, v_actor_id[b.n] as actor_id, v_who[b.n] as who, v_request[b.n] as request,
               coalesce(v_trace[b.n], b.trace) as trace, v_prov[b.n] as prov, b.correlation_id as correlation, b.session_key as session,
               json_build_object('lease_expires_at', wm.wire_time(b.until))::text as payload
          from before b
         where b.ok and (b.state = 'leased' or b.record_heartbeats)
        union all
        select 2, 'order.in_progress', o.id, o.id, o.type, 'system', null, null, null, null, null, o.correlation_id, o.session_key, null
          from begun o
         order by place
      ) f having count(*) > 0
  )
  select v_slot[b.n], b.ok, case when b.ok then b.until end, b.state, b.lease_token, b.leased_by_agent_id, b.leased_by_principal,
         b.require_token, b.lease_expires_at, v_now
    from before b;
end $$;

-- Hands in verified results. The last of N concurrent submits moves the order, because the counter is written under the order's lock.
-- verdict: done | replay | mismatch | in_flight | refused (see the events) ; absent slots: no such item.
create or replace function wm.submit_items(p_tenant uuid, p_idempotency_ttl integer, p_slots json)
  returns table (slot integer, verdict text, status integer, body text, order_id uuid, order_submitted boolean, state text, token text,
    agent text, who text, requires_token boolean, expired_at timestamptz, decided_at timestamptz)
  language plpgsql
  as $$
declare
  v_slot integer[]; v_item uuid[]; v_token text[]; v_agent text[]; v_who text[]; v_actor text[]; v_actor_id text[];
  v_request text[]; v_prov uuid[]; v_trace text[]; v_key bytea[]; v_print bytea[]; v_id uuid[]; v_digest text[]; v_parts integer[];
  v_result json[]; v_evidence json[]; v_notes text[]; v_traceparent text[];
  v_go boolean[]; v_fresh boolean[]; v_known boolean;
  v_orders uuid[]; v_counts integer[]; v_held uuid[]; v_begun uuid[];
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  select array_agg(s.slot), array_agg(s.item_id), array_agg(s.token), array_agg(s.agent_id), array_agg(s.principal), array_agg(s.actor_type),
         array_agg(s.actor_id), array_agg(s.request_id), array_agg(s.provenance_id), array_agg(s.trace_id), array_agg(decode(s.key_hash, 'hex')),
         array_agg(decode(s.fingerprint, 'hex')), array_agg(s.submission_id), array_agg(s.digest), array_agg(s.assembled_parts),
         array_agg(s.result), array_agg(s.evidence), array_agg(s.notes), array_agg(s.traceparent)
    into v_slot, v_item, v_token, v_agent, v_who, v_actor, v_actor_id, v_request, v_prov, v_trace, v_key, v_print, v_id, v_digest, v_parts,
         v_result, v_evidence, v_notes, v_traceparent
    from json_to_recordset(p_slots) as s(slot integer, item_id uuid, token text, agent_id text, principal text, actor_type text,
      actor_id text, request_id text, provenance_id uuid, trace_id text, key_hash text, fingerprint text, submission_id uuid,
      digest text, assembled_parts integer, result json, evidence json, notes text, traceparent text);

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

  -- Straight from leased, an item passes through in_progress: two events, one transaction.
  if v_begun is not null then
    with begun as (
      update wm.items i set state = 'in_progress'
       where i.tenant_id = p_tenant and i.id = any (v_begun) and i.state || '' = 'leased'
      returning i.order_id, i.id, i.order_type, i.correlation_id, i.session_key, array_position(v_item, i.id) as n
    )
    insert into wm.intake (tenant_id, decided_at, kinds, subject_ids, root_ids, labels, actor_types, actor_ids, principals, request_ids,
        trace_ids, provenance_ids, correlation_ids, session_keys)
    select p_tenant, v_now, array_agg('item.in_progress'::text), array_agg(b.id), array_agg(b.order_id), array_agg(b.order_type), array_agg(v_actor[b.n]),
        array_agg(v_actor_id[b.n]), array_agg(v_who[b.n]), array_agg(v_request[b.n]), array_agg(v_trace[b.n]), array_agg(v_prov[b.n]),
        array_agg(b.correlation_id), array_agg(b.session_key)
      from begun b having count(*) > 0;
  end if;

  return query
  with handed_in as (
    update wm.items i
       set state = 'submitted', submission_number = i.submission_number + 1, updated_at = v_now, error = null,
           lease_token = null, leased_by_agent_id = null, leased_by_principal = null, lease_expires_at = null
     where i.tenant_id = p_tenant and i.id = any (v_held) and i.state || '' = 'in_progress'
    returning i as item, i.id, i.order_id, i.order_type, i.submission_number as number, i.generation, i.correlation_id, i.session_key,
              array_position(v_item, i.id) as n
  ), kept as (
    insert into wm.submissions (tenant_id, id, order_id, item_id, number, result, evidence, notes, digest, assembled_parts,
        submitted_by_agent_id, submitted_by_principal, generation, traceparent, decided_at)
    select p_tenant, v_id[h.n], h.order_id, h.id, h.number, v_result[h.n], v_evidence[h.n], v_notes[h.n], v_digest[h.n], v_parts[h.n],
        v_agent[h.n], v_who[h.n], h.generation, v_traceparent[h.n], v_now
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
    returning o.id, o.type, o.state, o.correlation_id, o.session_key, o.last_transitioned_at = v_now as moved
  ), events as (
    insert into wm.intake (tenant_id, decided_at, kinds, subject_ids, root_ids, labels, actor_types, actor_ids, principals, request_ids,
        trace_ids, provenance_ids, correlation_ids, session_keys, payloads, messages)
    select p_tenant, v_now, array_agg(f.kind), array_agg(f.subject_id), array_agg(f.order_id), array_agg(f.type), array_agg(f.actor),
        array_agg(f.actor_id), array_agg(f.who), array_agg(f.request), array_agg(f.trace), array_agg(f.prov), array_agg(f.correlation),
        array_agg(f.session), array_agg(f.payload), array_agg(f.message)
      from (
        select 1 as place, 'item.submitted' as kind, h.id as subject_id, h.order_id, h.order_type as type, v_actor[h.n] as actor,
               v_actor_id[h.n] as actor_id, v_who[h.n] as who, v_request[h.n] as request, v_trace[h.n] as trace, v_prov[h.n] as prov,
               h.correlation_id as correlation, h.session_key as session,
               json_build_object('number', h.number, 'digest', v_digest[h.n], 'generation', h.generation,
                 'assembled_parts', v_parts[h.n])::text as payload, null as message
          from handed_in h
        union all
        select 2, 'order.' || c.state, c.id, c.id, c.type, 'system', null, null, null, null, null, c.correlation_id, c.session_key, null,
               case when c.state = 'submitted' then 'All items submitted' end
          from counted c where c.moved
         order by place
      ) f having count(*) > 0
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
