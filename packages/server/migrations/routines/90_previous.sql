-- Functions of the last release that this one does not call any more, word for word. While an upgrade goes round, its processes go on
-- calling what they know, and a call that began before the migration ends after it. They go with the next release;
-- testing/upgrade/rolling-upgrade.test.ts says which are needed.

create or replace function wm.within_agent_limit(p_tenant uuid, p_max integer, p_agents text[], p_asking integer[]) returns table (n integer)
  language sql stable
  as $$
  select k.n from (select u.n, row_number() over (partition by p_agents[u.n] order by u.n) as place from unnest(p_asking) as u(n)) k
   where k.place + (select count(*) from wm.items i where i.tenant_id = p_tenant and i.leased and i.leased_by_agent_id = p_agents[k.n]) <= p_max
$$;

create or replace function wm.room_by_type(p_tenant uuid, p_type text, p_max integer, p_own json, p_held jsonb, p_paused text[])
  returns table (type text, room integer)
  language sql stable
  as $$
  with recursive ready(type) as (
    (select i.order_type from wm.items i where i.tenant_id = p_tenant and i.ready and p_type is null order by i.order_type limit 1)
    union all
    select (select i.order_type from wm.items i where i.tenant_id = p_tenant and i.ready and i.order_type > r.type order by i.order_type limit 1)
      from ready r where r.type is not null
  )
  select w.type, coalesce(coalesce((p_own ->> w.type)::integer, p_max) - coalesce((p_held ->> w.type)::integer, 0), 1000)
    from (select r.type from ready r where r.type is not null union all select p_type where p_type is not null) w
   where p_paused is null or w.type <> all (p_paused)
$$;

create or replace function wm.hinted_candidates(p_tenant uuid, p_hints uuid[], p_order uuid, p_types text[], p_min integer, p_most integer)
  returns table (id uuid, order_id uuid)
  language sql stable
  as $$
  select h.id, h.order_id
    from (select i.id, i.order_id from wm.items i
           where i.tenant_id = p_tenant and i.id = any (p_hints) and i.state = 'queued' and i.priority >= p_min
             and (p_order is null or i.order_id = p_order) and (p_types is null or i.order_type = any (p_types))
           order by i.id) h
   order by array_position(p_hints, h.id) limit p_most
$$;

create or replace function wm.candidates_of_order(p_tenant uuid, p_order uuid, p_most integer) returns table (id uuid, order_id uuid)
  language sql stable
  as $$
  select i.id, i.order_id from wm.items i
   where i.tenant_id = p_tenant and i.order_id = p_order and i.state = 'queued'
   order by i.ordinal limit p_most
$$;

create or replace function wm.candidates_of_queue(p_tenant uuid, p_min integer, p_most integer)
  returns table (id uuid, order_id uuid, due_at timestamptz, priority integer)
  language sql stable
  as $$
  select i.id, i.order_id, i.due_at, i.priority from wm.items i
   where i.tenant_id = p_tenant and i.ready and i.priority >= p_min
   order by i.due_at, i.priority, i.id limit p_most
$$;

create or replace function wm.candidates_of_types(p_tenant uuid, p_types text[], p_rooms integer[], p_min integer, p_most integer)
  returns table (id uuid, order_id uuid, due_at timestamptz, priority integer)
  language sql stable
  as $$
  select w.id, w.order_id, w.due_at, w.priority
    from unnest(p_types, p_rooms) as t(type, room) cross join lateral (
      select i.id, i.order_id, i.due_at, i.priority from wm.items i
       where i.tenant_id = p_tenant and i.order_type = t.type and i.ready and i.priority >= p_min
       order by i.due_at, i.priority, i.id limit least(t.room, p_most)) w
   order by w.due_at, w.priority, w.id limit p_most
$$;

