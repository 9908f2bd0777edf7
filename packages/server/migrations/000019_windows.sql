-- The window of the hot path: what came in of all tenants at one moment goes out as one statement (routines/25_windows.sql).

-- A role of its own for it. It sees the tenants that its statement names, and of their rows only what the lease verbs touch.
do $$
begin
  create role wm_window nologin;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema wm to wm_window;

-- Whether the statement names the tenant. `strpos`, so that no plan may look for rows by it: an index that begins with the tenant looks
-- cheap for a young table and reads all of the tenant's rows. The list reads `,<uuid>,<uuid>,`.
create function wm.is_in_window(tenant uuid) returns boolean
  language sql stable parallel safe
  as $$ select strpos(current_setting('wm.window', true), ',' || tenant::text || ',') > 0 $$;

do $$
declare
  t text;
begin
  foreach t in array array['api_keys', 'orders', 'items', 'submissions', 'idempotency', 'intake', 'pauses'] loop
    execute format('create policy "window" on wm.%I to wm_window using (wm.is_in_window(tenant_id)) with check (wm.is_in_window(tenant_id))', t);
  end loop;
end $$;
create policy "window" on wm.tenants to wm_window using (wm.is_in_window(id));
grant select (only_row, epoch, paused_at) on wm.cluster to wm_window;
grant select on wm.tenants, wm.api_keys, wm.pauses, wm.idempotency to wm_window;
grant select, update (state, items_submitted, last_transitioned_at, updated_at) on wm.orders to wm_window;
grant select,
  update (state, ready, leased, attempts, generation, lease_token, leased_by_agent_id, leased_by_principal, lease_expires_at, last_heartbeat_at,
    leased_at, lease_ends_by, submission_number, error, updated_at)
  on wm.items to wm_window;
grant insert on wm.submissions, wm.idempotency, wm.intake to wm_window;

-- The marks that indexes stand on were generated columns, whose expressions are parsed and planned again by every UPDATE statement
-- (some 20 µs each). Plain columns now: the window writes them itself, and for everybody else, psql included, a trigger keeps them true.
alter table wm.items alter column ready drop expression, alter column leased drop expression, alter column failed drop expression;
create function wm.keep_item_marks() returns trigger
  language plpgsql
  as $$
begin
  new.ready := new.state = 'queued';
  new.leased := wm.item_is_held(new.state);
  new.failed := new.state = 'failed';
  return new;
end $$;
create trigger items_marks before insert or update on wm.items for each row
  when (new.ready is distinct from (new.state = 'queued') or new.leased is distinct from (new.state in ('leased', 'in_progress'))
        or new.failed is distinct from (new.state = 'failed'))
  execute function wm.keep_item_marks();

-- A submission belongs to an item. The window holds the item's row when it writes one, so for it a foreign key asks again what it knows
-- (32 µs of a hand-in); everybody else is asked. An item with submissions stays what it is.
alter table wm.submissions drop constraint submissions_tenant_id_item_id_fkey;
create function wm.find_submitted_item() returns trigger
  language plpgsql
  as $$
begin
  perform from wm.items i where i.tenant_id = new.tenant_id and i.id = new.item_id for key share;
  if not found then
    raise exception 'There is no item % to hand in for.', new.item_id using errcode = 'foreign_key_violation', constraint = 'submissions_item';
  end if;
  return null;
end $$;
create constraint trigger submissions_item after insert on wm.submissions for each row
  when (current_user <> 'wm_window') execute function wm.find_submitted_item();
create function wm.keep_submitted_item() returns trigger
  language plpgsql
  as $$
begin
  if exists (select from wm.submissions s where s.tenant_id = old.tenant_id and s.item_id = old.id) then
    raise exception 'The item % has submissions: it can neither go nor change its id.', old.id
      using errcode = 'foreign_key_violation', constraint = 'submissions_item';
  end if;
  return null;
end $$;
create constraint trigger items_submitted_deleted after delete on wm.items for each row execute function wm.keep_submitted_item();
create constraint trigger items_submitted_renamed after update of tenant_id, id on wm.items for each row
  when (old.tenant_id <> new.tenant_id or old.id <> new.id) execute function wm.keep_submitted_item();
