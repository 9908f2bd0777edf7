-- Statistics before the first row. Without any, the planner takes a tenant for a 200th of a table, so `tenant_id = … and id = any (…)` looks
-- dearer through the primary key than through any index that begins with the tenant; the hot path keeps such a plan until the first
-- ANALYZE, and reads all items of the tenant for each batch (submit: 29 ms instead of 8 at 4,000 items, growing). A few rows of one tenant
-- are put in, counted, and taken out again; what was learned stays until there is more to learn from.

do $$
declare
  t text;
  guarded constant text[] := array['tenants', 'orders', 'items', 'submissions', 'parts', 'effects'];
  tenant constant uuid := '00000000-0000-7000-8000-000000000000';
  ids constant uuid[] := array(select gen_random_uuid() from generate_series(1, 2000));
begin
  if exists (select from pg_catalog.pg_stats s where s.schemaname = 'wm' and s.tablename = 'items') then
    return;
  end if;
  -- The owner sees no row while row security is forced; append-only tables let nothing be deleted. Both only for this transaction.
  foreach t in array guarded loop
    execute format('alter table wm.%I no force row level security', t);
  end loop;
  alter table wm.submissions disable trigger user;

  insert into wm.tenants (id, slug, name) values (tenant, 'first-statistics', 'first statistics');
  insert into wm.orders (tenant_id, id, type, type_version, state, priority, requested_by_principal, payload, on_item_failure,
      last_transitioned_at, created_at, updated_at)
    select tenant, id, 'none', 1, 'queued', 0, 'none', '{}', 'proceed', now(), now(), now() from unnest(ids) id;
  insert into wm.items (tenant_id, id, order_id, ordinal, type, order_type, priority, state, max_attempts, lease_ttl_seconds, require_token,
      record_heartbeats, input, due_at, created_at, updated_at)
    select tenant, gen_random_uuid(), id, n, 'none', 'none', 0, 'queued', 1, 600, false, false, '{}', now(), now(), now()
      from unnest(ids) with ordinality as u(id, n);
  insert into wm.submissions (tenant_id, id, order_id, item_id, number, result, digest, submitted_by_agent_id, submitted_by_principal,
      generation, decided_at)
    select tenant, gen_random_uuid(), i.order_id, i.id, 1, '{}', 'none', 'none', 'none', 1, now() from wm.items i where i.tenant_id = tenant;
  insert into wm.parts (tenant_id, id, order_id, item_id, part_key, revision, status, payload, checksum, submitted_by_agent_id,
      submitted_by_principal, generation, created_at)
    select tenant, gen_random_uuid(), i.order_id, i.id, 'none', 1, 'validated', '{}', 'none', 'none', 'none', 1, now()
      from wm.items i where i.tenant_id = tenant;
  insert into wm.effects (tenant_id, id, order_id, name, key, state, deduplicates, available_at, created_at, updated_at)
    select tenant, gen_random_uuid(), o.id, 'none', o.id::text, 'delivered', false, now(), now(), now() from wm.orders o where o.tenant_id = tenant;
  analyze wm.orders, wm.items, wm.submissions, wm.parts, wm.effects;
  foreach t in array array['effects', 'parts', 'submissions', 'items', 'orders'] loop
    execute format('delete from wm.%I where tenant_id = $1', t) using tenant;
  end loop;
  delete from wm.tenants where id = tenant;

  alter table wm.submissions enable trigger user;
  foreach t in array guarded loop
    execute format('alter table wm.%I force row level security', t);
  end loop;
end $$;
