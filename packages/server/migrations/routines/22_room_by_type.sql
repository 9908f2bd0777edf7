-- Which types a checkout may take from, and how many of each: the limits of types, and pauses of types.
-- Ask in a statement after the one that took the lock on the tenant's leases.
--
-- Not one look per type: 1,000 types cost 40 ms per checkout that way. Only types with leases in force can be full, so the queue is walked
-- in the order in which it is due, past full and paused types, until p_wanted items are found; mostly the first rows will do. A saturated
-- type can hold the whole head of the queue, and must hold up nobody: after 1,000 rows each type is asked for its first item instead.

drop function if exists wm.room_by_type(uuid, text, integer, json, jsonb, text[]);
drop function if exists wm.room_by_type(uuid, text, integer, json, jsonb, text[], integer, integer, uuid[]);
drop function if exists wm.candidates_within(uuid, text[], integer[], integer, integer, integer);
drop function if exists wm.candidates_past(uuid, text[], integer[], integer, uuid[], integer);

-- p_type: only this type, whatever is ready. Else the types of the first p_wanted ready items of at least priority p_min that have room and do
-- not lie in the orders p_busy; all types that have ready items when p_wanted is null. room: 1000, more than any batch asks for, without
-- a limit; not above 0: the type is full. far: all of it lies in so many rows from the head of the
-- queue; null: nobody looked. p_held: type to leases in force. The types p_paused are left out, and items that are kept from all of p_who.
create or replace function wm.room_by_type(p_tenant uuid, p_type text, p_max integer, p_own json, p_held jsonb, p_paused text[],
    p_min integer default -32768, p_wanted integer default null, p_busy uuid[] default null, p_who text[] default '{}')
  returns table (type text, room integer, far integer)
  language plpgsql stable
  as $$
declare
  v_furthest constant integer := 1000;
  v_own constant jsonb := p_own;
  v_types text[] := '{}'; v_rooms integer[] := '{}'; v_left integer[] := '{}';
  v_type text; v_room integer; v_place integer;
  v_seen integer := 0; v_found integer := 0;
begin
  if p_type is not null then
    return query
      select p_type, coalesce(coalesce((v_own ->> p_type)::integer, p_max) - coalesce((p_held ->> p_type)::integer, 0), 1000), null::integer
       where p_paused is null or p_type <> all (p_paused);
    return;
  end if;

  if p_wanted is not null then
    for v_type in
      select case when (p_busy is null or i.order_id <> all (p_busy))
                   and (i.dropped_by is null or p_who = '{}' or not wm.is_kept_from_all(i.dropped_by, p_who, extract(epoch from statement_timestamp())))
                  then i.order_type end from wm.items i
       where i.tenant_id = p_tenant and i.ready and i.priority >= p_min
       order by i.due_at, i.priority, i.id limit v_furthest
    loop
      v_seen := v_seen + 1;
      continue when v_type is null or v_type = any (p_paused);
      v_place := array_position(v_types, v_type);
      if v_place is null then
        v_room := coalesce(coalesce((v_own ->> v_type)::integer, p_max) - coalesce((p_held ->> v_type)::integer, 0), 1000);
        v_types := v_types || v_type;
        v_rooms := v_rooms || v_room;
        v_left := v_left || v_room;
        v_place := cardinality(v_types);
      end if;
      if v_left[v_place] > 0 then
        v_left[v_place] := v_left[v_place] - 1;
        v_found := v_found + 1;
        exit when v_found >= p_wanted;
      end if;
    end loop;
    if v_found >= p_wanted or v_seen < v_furthest then
      return query select u.type, u.room, v_seen from unnest(v_types, v_rooms) as u(type, room);
      return;
    end if;
  end if;

  -- Type by type. Of those with room the p_wanted whose first item is due soonest will do: nobody else's item is among the first p_wanted.
  return query
    with recursive ready(type, due_at, priority, id) as (
      (select i.order_type, i.due_at, i.priority, i.id from wm.items i where i.tenant_id = p_tenant and i.ready and i.priority >= p_min
        order by i.order_type, i.due_at, i.priority, i.id limit 1)
      union all
      select n.* from ready r cross join lateral (
        select i.order_type, i.due_at, i.priority, i.id from wm.items i
         where i.tenant_id = p_tenant and i.ready and i.priority >= p_min and i.order_type > r.type
         order by i.order_type, i.due_at, i.priority, i.id limit 1) n
    ), rooms as (
      select r.*, coalesce(coalesce((v_own ->> r.type)::integer, p_max) - coalesce((p_held ->> r.type)::integer, 0), 1000) as free
        from ready r where p_paused is null or r.type <> all (p_paused)
    )
    (select r.type, r.free, null::integer from rooms r where r.free > 0 order by r.due_at, r.priority, r.id
      limit case when p_busy is null then p_wanted end)
    union all
    (select r.type, r.free, null from rooms r where r.free <= 0 limit 1);
end $$;

-- As many of each type as it has room for, the most urgent of them all first, out of the first p_far rows of the queue: one walk, where
-- wm.candidates_of_types makes one for each type. A plain query, written into the statement that asks.
create or replace function wm.candidates_within(p_tenant uuid, p_types text[], p_rooms integer[], p_min integer, p_far integer, p_most integer,
    p_who text[])
  returns table (id uuid, order_id uuid)
  language sql stable
  as $$
  select w.id, w.order_id
    from (select f.*, row_number() over (partition by f.order_type order by f.due_at, f.priority, f.id) as place
            from (select i.id, i.order_id, i.order_type, i.due_at, i.priority, i.dropped_by from wm.items i
                   where i.tenant_id = p_tenant and i.ready and i.priority >= p_min
                   order by i.due_at, i.priority, i.id limit p_far) f
           where f.order_type = any (p_types)
             and (f.dropped_by is null or not wm.is_kept_from_all(f.dropped_by, p_who, extract(epoch from statement_timestamp())))) w
   where w.place <= p_rooms[array_position(p_types, w.order_type)]
   order by w.due_at, w.priority, w.id limit p_most
$$;
