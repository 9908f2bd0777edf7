-- One statement for all that came in during one window, whatever the verb and the tenant: checkouts, heartbeats and submits. It takes the
-- clean cases only; a request that it has no row for goes to the statement of its verb (20_leases.sql), which can also say why: repeats,
-- refusals, pauses, limits, rows that somebody else holds. So nobody's bad request and nobody's lock holds up its neighbours.
-- The order is the one of every verb: lock (orders by id, then items by id, skipping what others hold) → read the clock in a new statement
-- → one guarded write → events, kept answers.
--
-- Runs as wm_window, which sees the tenants that p_tenants lists. Rows are found by primary key, one after the other (lateral, so that no
-- plan can turn it round), and written by the place where they were locked (ctid): the same access path whatever the statistics say.
-- The requests are slots, 1 … n: checkouts, then heartbeats, then submits; arrays hold one element for each, or for each of a kind.

-- The members of wm.item_json and wm.leased_item_json, put together as text: json_build_object looks up the type of every argument anew.
-- A test holds the two together.
create or replace function wm.item_text(i wm.items, p_result text, p_evidence text) returns text
  language sql stable
  as $$
  select '{"id":"' || i.id || '","order_id":"' || i.order_id || '","ordinal":' || i.ordinal || ',"type":' || to_json(i.type)
    || ',"state":"' || i.state || '","attempts":' || i.attempts || ',"max_attempts":' || i.max_attempts
    || ',"leased_by_agent_id":' || coalesce(to_json(i.leased_by_agent_id)::text, 'null')
    || ',"lease_expires_at":' || coalesce('"' || wm.wire_time(i.lease_expires_at) || '"', 'null')
    || ',"last_heartbeat_at":' || coalesce('"' || wm.wire_time(i.last_heartbeat_at) || '"', 'null')
    || ',"input":' || i.input::text || ',"result":' || p_result || ',"assembled_result":null,"evidence":' || coalesce(p_evidence, 'null')
    || ',"parts_required":' || coalesce(to_json(i.parts_required)::text, 'null') || ',"parts_state":' || coalesce(i.parts_state::text, 'null')
    || ',"error":' || coalesce(i.error::text, 'null') || ',"rework":' || coalesce(i.rework::text, 'null') || ',"submission_number":' || i.submission_number
    || ',"available_at":' || coalesce('"' || wm.wire_time(i.available_at) || '"', 'null')
    || ',"accepted_at":' || coalesce('"' || wm.wire_time(i.accepted_at) || '"', 'null')
    || ',"created_at":"' || wm.wire_time(i.created_at) || '","updated_at":"' || wm.wire_time(i.updated_at) || '"}'
$$;
create or replace function wm.leased_item_text(i wm.items, p_heartbeat_every integer) returns text
  language sql stable
  as $$
  select '{"id":"' || i.id || '","order_id":"' || i.order_id || '","type":' || to_json(i.type) || ',"state":"' || i.state || '","input":' || i.input::text
    || ',"lease_token":"' || i.lease_token || '","lease_expires_at":"' || wm.wire_time(i.lease_expires_at)
    || '","heartbeat_every_seconds":' || least(p_heartbeat_every, greatest(1, i.lease_ttl_seconds / 3))
    || ',"attempt":' || i.attempts || ',"max_attempts":' || i.max_attempts
    || ',"parts_required":' || coalesce(to_json(i.parts_required)::text, 'null') || ',"parts_state":' || coalesce(i.parts_state::text, 'null')
    || ',"rework":' || coalesce(i.rework::text, 'null') || ',"last_error":' || coalesce(i.error::text, 'null')
    || ',"traceparent":' || coalesce(to_json(i.traceparent)::text, 'null') || '}'
$$;

-- p_tenants: `,<uuid>,<uuid>,`, all that the slots name. g_*: the checkouts in groups of one tenant and type (null: any), each a run of slots.
-- p_secret: the random part of the new token for a checkout, the token that is shown for the others (null: none).
-- body: the item of a checkout; the new end of the lease; the answer to a submit. ttl: of a lease that was kept, negative when its type
-- records every heartbeat, or when it is nearly as old as it may be; needs_token: it is not kept without its token. order_full: the submit was its order's last.
create or replace function wm.work_window(p_tenants text, p_epoch integer, p_heartbeat_every integer, p_idempotency_ttl integer, p_takes integer, p_beats integer,
    g_tenant uuid[], g_type text[], g_first integer[], g_size integer[], p_key_id uuid[],
    p_tenant uuid[], p_agent text[], p_who text[], p_actor text[], p_actor_id text[], p_request text[], p_prov uuid[], p_trace text[], p_secret text[],
    p_item uuid[],
    p_id uuid[], p_result text[], p_evidence text[], p_notes text[], p_digest text[], p_key bytea[], p_print bytea[], p_traceparent text[])
  returns table (slot integer, item_id uuid, order_id uuid, body text, order_full boolean, ttl integer, needs_token boolean,
    decided_at timestamptz)
  language plpgsql
  as $$
#variable_conflict use_column
declare
  v_subs constant integer := p_takes + p_beats;
  v_all constant integer := cardinality(p_tenant);
  -- Bytes of an input as it is stored, compressed or in another place: it goes back with the item, and a large one would hold up everybody.
  v_most_shared constant integer := 4096;
  v_turn constant bigint := hashtextextended('wm.windows|' || p_tenant[1]::text, 0);
  v_patience constant text := current_setting('lock_timeout');
  -- Tenants that somebody is pausing right now, and submits whose key somebody else is using.
  v_shut uuid[]; v_spoilt integer[];
  -- What is locked: the slot, its item's place and state, its order's place (null: not locked, because it does not move).
  v_slot integer[]; v_place tid[]; v_was text[]; v_order_place tid[];
  v_now timestamptz;
begin
  perform set_config('wm.window', p_tenants, true);
  -- Windows of one tenant take turns, whichever process they come from: they meet at the same orders, and what one holds the other leaves
  -- alone. Before anything is locked or looked at, so nobody waits for anybody in a circle. Nobody waits long either: a process may be
  -- kept from ending its transaction (a pooler lends its connection by the transaction), and then this one takes what it can get.
  -- Windows of several tenants do not wait: all of them together would be one at a time in the whole cluster.
  if length(p_tenants) = 38 and not pg_try_advisory_xact_lock(v_turn) then
    perform set_config('lock_timeout', '250', true);
    begin
      perform pg_advisory_xact_lock(v_turn);
    exception when lock_not_available then
      null;
    end;
    perform set_config('lock_timeout', v_patience, true);
  end if;
  if p_takes > 0 then
    -- As wm.share_pauses, but nobody waits: whoever pauses a tenant holds up that tenant alone.
    if not pg_try_advisory_xact_lock_shared(hashtextextended('wm.pauses', 0)) then
      v_shut := g_tenant;
    else
      select array_agg(t.id) into v_shut from (select distinct u.id from unnest(g_tenant) as u(id)) t
       where not pg_try_advisory_xact_lock_shared(hashtextextended('wm.pauses|' || t.id::text, 0));
    end if;
  end if;
  if v_all > v_subs then
    -- A key that another transaction is writing would have to be waited for.
    select array_agg(s.n) into v_spoilt from generate_series(v_subs + 1, v_all) as s(n)
     where not pg_try_advisory_xact_lock(hashtextextended(
       p_tenant[s.n]::text || '|' || p_who[s.n] || '|submit_item|' || encode(p_key[s.n - v_subs], 'hex'), 0));
  end if;

  -- Whose item and order it is, then the locks. `offset 0` and `for` keep each look-up a query of its own.
  with grants as materialized (
    select g.first + c.place - 1 as n, g.tenant, c.id as item, c.order_id
      from unnest(g_tenant, g_type, g_first, g_size) as g(tenant, type, first, size)
     cross join lateral (
       select row_number() over ()::integer as place, q.id, q.order_id, q.dropped_by, q.bytes from (
         (select i.id, i.order_id, i.dropped_by, pg_column_size(i.input) as bytes from wm.items i
           where g.type is null and i.tenant_id = g.tenant and i.ready order by i.due_at, i.priority, i.id limit g.size)
         union all
         (select i.id, i.order_id, i.dropped_by, pg_column_size(i.input) from wm.items i
           where g.type is not null and i.tenant_id = g.tenant and i.order_type = g.type and i.ready order by i.due_at, i.priority, i.id limit g.size)
       ) q) c
     where (v_shut is null or g.tenant <> all (v_shut)) and c.bytes <= v_most_shared
       -- Kept from this one (15_dropped.sql): its own statement finds it another.
       and (c.dropped_by is null or not wm.is_kept_from_all(c.dropped_by, array[p_who[g.first + c.place - 1]], extract(epoch from statement_timestamp())))
       and not exists (select from wm.cluster w where w.paused_at is not null)
       and not exists (select from wm.pauses p where p.tenant_id = g.tenant)
       and exists (select from wm.tenants t where t.id = g.tenant and t.suspended_at is null)
  ), slots as materialized (
    select s.n, s.tenant, s.item, s.order_id, true as moves_order
      from grants s
     where p_key_id[s.n] is null or exists (
       select from wm.api_keys k where k.tenant_id = s.tenant and k.id = p_key_id[s.n]
          and (k.revoked_at is null or k.revoked_at > clock_timestamp()) and (k.expires_at is null or k.expires_at > clock_timestamp()))
    union all
    select s.n, p_tenant[s.n], p_item[s.n], i.order_id, s.n > v_subs or i.state = 'leased'
      from generate_series(p_takes + 1, v_all) as s(n)
     cross join lateral (
       select i.order_id, i.state, pg_column_size(i.input) as bytes from wm.items i where i.tenant_id = p_tenant[s.n] and i.id = p_item[s.n] offset 0) i
     where (v_spoilt is null or s.n <> all (v_spoilt))
       -- A heartbeat is not answered with the input.
       and (s.n <= v_subs or i.bytes <= v_most_shared)
  ), orders_held as materialized (
    select l.place, l.id
      from (select distinct s.tenant, s.order_id from slots s where s.moves_order order by s.order_id, s.tenant) w
     cross join lateral (
       select o.ctid as place, o.id from wm.orders o
        where o.tenant_id = w.tenant and o.id = w.order_id and wm.order_is_open(o.state || '') for no key update skip locked) l
  ), items_held as (
    select w.n, l.place, l.state, w.order_place
      from (select s.n, s.tenant, s.item, o.place as order_place from slots s left join orders_held o on o.id = s.order_id
             where not s.moves_order or o.id is not null
             order by s.item) w
     cross join lateral (
       select i.ctid as place, i.state from wm.items i
        where i.tenant_id = w.tenant and i.id = w.item for no key update skip locked) l
  )
  select array_agg(h.n), array_agg(h.place), array_agg(h.state), array_agg(h.order_place) into v_slot, v_place, v_was, v_order_place
    from items_held h
   -- A scalar sub-query, which is asked for one row at a time: `not exists` may be planned as a hash of every key there is.
   where h.n <= v_subs or (
     select true from wm.idempotency k where k.tenant_id = p_tenant[h.n] and k.principal = p_who[h.n] and k.operation = 'submit_item'
        and k.key_hash = p_key[h.n - v_subs]) is null;
  if v_slot is null then
    return;
  end if;
  v_now := clock_timestamp();

  -- Handed in without a heartbeat: through in_progress all the same. The row is then at another place.
  if exists (select from unnest(v_slot, v_was) as u(n, was) where u.n > v_subs and u.was = 'leased') then
    with begun as (
      update wm.items i set state = 'in_progress'
        from (select u.n, u.place from unnest(v_slot, v_place, v_was) as u(n, place, was) where u.n > v_subs and u.was = 'leased' offset 0) a
       where i.ctid = a.place and wm.holds_lease(i, p_secret[a.n], p_agent[a.n], p_who[a.n], v_now)
      returning a.n, i.ctid as place
    )
    select array_agg(coalesce(b.place, u.place) order by u.n) into v_place
      from unnest(v_slot, v_place) with ordinality as u(slot, place, n) left join begun b on b.n = u.slot;
  end if;

  return query
  with moved as (
    update wm.items i
       set state = case when a.n <= p_takes then 'leased' when a.n <= v_subs then 'in_progress' else 'submitted' end,
           ready = false, leased = a.n <= v_subs, updated_at = v_now,
           attempts = i.attempts + (a.n <= p_takes)::integer, generation = i.generation + (a.n <= p_takes)::integer,
           lease_token = case when a.n <= p_takes then 'wl.' || p_epoch || '.' || (i.generation + 1) || '.' || p_secret[a.n]
                              when a.n <= v_subs then i.lease_token end,
           leased_by_agent_id = case when a.n <= v_subs then p_agent[a.n] end,
           leased_by_principal = case when a.n <= v_subs then p_who[a.n] end,
           lease_expires_at = case when a.n <= p_takes then v_now + make_interval(secs => least(i.lease_ttl_seconds, i.max_lease_seconds))
                                   when a.n <= v_subs then greatest(i.lease_expires_at, least(v_now + make_interval(secs => i.lease_ttl_seconds), i.lease_ends_by)) end,
           leased_at = case when a.n <= p_takes then v_now else i.leased_at end,
           lease_ends_by = case when a.n <= p_takes then v_now + make_interval(secs => i.max_lease_seconds) else i.lease_ends_by end,
           last_heartbeat_at = case when a.n <= v_subs then v_now else i.last_heartbeat_at end,
           submission_number = i.submission_number + (a.n > v_subs)::integer,
           error = case when a.n <= v_subs then i.error end
      from (select u.n, u.place, u.was, u.order_place
              from unnest(v_slot, v_place, v_was, v_order_place) as u(n, place, was, order_place) offset 0) a
     where i.ctid = a.place
       and case when a.n <= p_takes then i.state = 'queued' else wm.holds_lease(i, p_secret[a.n], p_agent[a.n], p_who[a.n], v_now) end
    returning a.n, a.was, a.order_place, i.tenant_id as tenant, i.id, i.order_id, i.order_type as type, i.generation, i.submission_number as number,
      i.correlation_id as correlation, i.session_key as session, i.record_heartbeats as each, i.lease_ttl_seconds as ttl,
      i.lease_ends_by < v_now + make_interval(secs => 2 * i.lease_ttl_seconds) as grows_old, i.require_token as needs_token,
      -- The trace of the item stands in where the caller has none; a submit is always its caller's.
      case when a.n <= v_subs then coalesce(p_trace[a.n], substr(i.traceparent, 4, 32)) else p_trace[a.n] end as trace,
      case when a.n <= p_takes then '{"lease_expires_at":"' || wm.wire_time(i.lease_expires_at) || '","generation":' || i.generation || ',"attempt":' || i.attempts || '}'
           when a.n <= v_subs then '{"lease_expires_at":"' || wm.wire_time(i.lease_expires_at) || '"}'
           else '{"number":' || i.submission_number || ',"digest":"' || p_digest[a.n - v_subs] || '","generation":' || i.generation || ',"assembled_parts":null}'
      end as payload,
      case when a.n <= p_takes then wm.leased_item_text(i, p_heartbeat_every)
           when a.n <= v_subs then wm.wire_time(i.lease_expires_at)
           else wm.item_text(i, p_result[a.n - v_subs], p_evidence[a.n - v_subs]) end as body
  ), counted as (
    -- Only orders that move are written.
    update wm.orders o
       set items_submitted = o.items_submitted + c.handed, updated_at = v_now,
           state = case when c.handed > 0 and o.items_submitted + c.handed + o.items_dead >= o.items_total then 'submitted'
                        when o.state = 'queued' and c.taken then 'checked_out'
                        when o.state = 'checked_out' and c.begun then 'in_progress' else o.state end,
           last_transitioned_at = case when c.handed > 0 and o.items_submitted + c.handed + o.items_dead >= o.items_total
                                         or o.state = 'queued' and c.taken or o.state = 'checked_out' and c.begun
                                       then v_now else o.last_transitioned_at end
      from (select m.order_place as place, count(*) filter (where m.n > v_subs)::integer as handed, bool_or(m.n <= p_takes) as taken,
                   bool_or(m.n > p_takes) as begun
              from moved m where m.order_place is not null group by m.order_place) c
     where o.ctid = c.place and (c.handed > 0 or o.state = 'queued' and c.taken or o.state = 'checked_out' and c.begun)
    returning o.tenant_id as tenant, o.id, o.type, o.state, o.correlation_id as correlation, o.session_key as session, o.last_transitioned_at = v_now as moved
  ), kept as (
    insert into wm.submissions (tenant_id, id, order_id, item_id, number, result, evidence, notes, digest,
        submitted_by_agent_id, submitted_by_principal, generation, traceparent, decided_at)
    select m.tenant, p_id[m.n - v_subs], m.order_id, m.id, m.number, p_result[m.n - v_subs]::json, p_evidence[m.n - v_subs]::json,
        p_notes[m.n - v_subs], p_digest[m.n - v_subs], p_agent[m.n], p_who[m.n], m.generation, p_traceparent[m.n - v_subs], v_now
      from moved m where m.n > v_subs
  ), events as (
    -- One row for each tenant, in the order in which the events belong: the items' first.
    insert into wm.intake (tenant_id, decided_at, kinds, subject_ids, root_ids, labels, actor_types, actor_ids, principals, request_ids,
        trace_ids, provenance_ids, correlation_ids, session_keys, payloads, messages)
    select f.tenant, v_now, array_agg(f.kind), array_agg(f.subject_id), array_agg(f.order_id), array_agg(f.type), array_agg(f.actor),
        array_agg(p_actor_id[f.n]), array_agg(p_who[f.n]), array_agg(p_request[f.n]), array_agg(f.trace), array_agg(p_prov[f.n]),
        array_agg(f.correlation), array_agg(f.session), array_agg(f.payload), array_agg(f.message)
      from (
        select m.tenant, 0 as place, m.n, 'item.in_progress' as kind, m.id as subject_id, m.order_id, m.type, p_actor[m.n] as actor, m.trace,
               m.correlation, m.session, null as payload, null as message
          from moved m where m.n > v_subs and m.was = 'leased'
        union all
        select m.tenant, 1, m.n,
               case when m.n <= p_takes then 'item.leased' when m.n > v_subs then 'item.submitted'
                    when m.was = 'leased' then 'item.in_progress' else 'item.heartbeat' end,
               m.id, m.order_id, m.type, p_actor[m.n], m.trace, m.correlation, m.session, m.payload, null
          from moved m where m.n <= p_takes or m.n > v_subs or m.was = 'leased' or m.each
        union all
        select c.tenant, 2, null, 'order.' || c.state, c.id, c.id, c.type, 'system', null, c.correlation, c.session, null,
               case when c.state = 'submitted' then 'All items submitted' end
          from counted c where c.moved
         order by 1, 2
      ) f
     group by f.tenant
  ), answers as materialized (
    select m.n, m.id, m.order_id, m.tenant, m.ttl, m.each or coalesce(m.grows_old, false) as each, m.needs_token, c.moved and c.state = 'submitted' as full_now,
           case when m.n <= v_subs then m.body else '{"item":' || m.body || ',"state":"submitted","order_state":"' || c.state || '"}' end as body
      from moved m left join counted c on c.id = m.order_id and m.n > v_subs
  ), remembered as (
    insert into wm.idempotency (tenant_id, principal, operation, key_hash, fingerprint, status, body, created_at, expires_at)
    select a.tenant, p_who[a.n], 'submit_item', p_key[a.n - v_subs], p_print[a.n - v_subs], 202, a.body, v_now,
           v_now + make_interval(secs => p_idempotency_ttl)
      from answers a where a.n > v_subs and p_key[a.n - v_subs] is not null
  )
  select a.n, a.id, a.order_id, a.body, a.full_now, case when a.n > p_takes and a.n <= v_subs then case when a.each then -a.ttl else a.ttl end end,
         a.needs_token, v_now
    from answers a;
end $$;
revoke all on function wm.work_window(text, integer, integer, integer, integer, integer, uuid[], text[], integer[], integer[], uuid[], uuid[], text[],
  text[], text[], text[], text[], uuid[], text[], text[], uuid[], uuid[], text[], text[], text[], text[], bytea[], bytea[], text[]) from public;
grant execute on function wm.work_window(text, integer, integer, integer, integer, integer, uuid[], text[], integer[], integer[], uuid[], uuid[], text[],
  text[], text[], text[], text[], uuid[], text[], text[], uuid[], uuid[], text[], text[], text[], text[], bytea[], bytea[], text[]) to wm_window;
