-- Who lets an item go again and again is offered it again later than the others (work/leases/decide-drop.ts says when).

-- Whether the item is kept from each of those who ask; p_at: seconds since 1970. Ask only where dropped_by is not null: it rarely is, and
-- a function with a subquery is not written into the statement.
create or replace function wm.is_kept_from_all(p_dropped_by jsonb, p_who text[], p_at double precision) returns boolean
  language sql immutable
  as $$
  select not exists (select from unnest(p_who) as w where coalesce((p_dropped_by -> w ->> 'until')::double precision, 0) <= p_at)
$$;

-- The locked items, each at the place of somebody it is not kept from; null: nothing for this one. First come, first served.
create or replace function wm.for_whom(p_tenant uuid, p_items uuid[], p_who text[], p_at timestamptz) returns uuid[]
  language plpgsql stable
  as $$
declare
  v_left uuid[] := p_items;
  v_given uuid[] := '{}';
  v_one uuid;
begin
  for n in 1 .. cardinality(p_who) loop
    select i.id into v_one
      from wm.items i
     where i.tenant_id = p_tenant and i.id = any (v_left)
       and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, p_who[n : n], extract(epoch from p_at)))
     order by array_position(v_left, i.id) limit 1;
    v_given := array_append(v_given, v_one);
    v_left := array_remove(v_left, v_one);
  end loop;
  return v_given;
end $$;
