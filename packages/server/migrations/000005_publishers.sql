-- Publishers read the ledger by cursors of their own: one per publisher and tenant. What a receiver refuses for itself is set aside.

-- Everything up to seq is published, filtered out, skipped or parked; `ahead` holds what is published beyond it already, because a
-- message before it must be tried again. A process takes a cursor for some seconds under a number that only grows (fence): a process that
-- was paused meanwhile finds another number and writes nothing.
create table wm.publisher_cursors (
  tenant_id uuid not null references wm.tenants,
  publisher text not null check (length(publisher) between 1 and 60),
  seq bigint not null default 0 check (seq >= 0),
  ahead bigint[] not null default '{}',
  fence bigint not null default 0,
  lease_expires_at timestamptz,
  served_at timestamptz,
  failures integer not null default 0,
  retry_at timestamptz,
  last_error text,
  last_error_at timestamptz,
  last_published_at timestamptz,
  primary key (tenant_id, publisher)
) with (fillfactor = 50);

-- trying: refused, will be tried again, holds back the cursor and later facts of its order. parked: set aside, the cursor goes on.
-- retry: somebody asked for another try.
create table wm.parked_messages (
  tenant_id uuid not null references wm.tenants,
  publisher text not null,
  seq bigint not null,
  state text not null check (state in ('trying', 'parked', 'retry')),
  event_id uuid not null,
  order_id uuid,
  item_id uuid,
  kind text not null,
  reason text not null,
  tries integer not null check (tries >= 1),
  first_refused_at timestamptz not null,
  last_refused_at timestamptz not null,
  primary key (tenant_id, publisher, seq)
);

create index parked_messages_retry_idx on wm.parked_messages (tenant_id) where state = 'retry';

-- How a publisher as a whole is, for all processes: its connection knows no tenant.
create table wm.publisher_states (
  publisher text primary key,
  connected boolean not null,
  error_code text,
  error text,
  changed_at timestamptz not null
);

do $$
declare
  t text;
begin
  foreach t in array array['publisher_cursors', 'parked_messages'] loop
    execute format('alter table wm.%I enable row level security', t);
    execute format('alter table wm.%I force row level security', t);
    execute format('create policy app on wm.%I to wm_app using (tenant_id = wm.current_tenant()) with check (tenant_id = wm.current_tenant())', t);
    execute format('create policy system on wm.%I to wm_system using (true) with check (true)', t);
  end loop;
end $$;
grant select, insert, update (seq, ahead, fence, lease_expires_at, failures, retry_at) on wm.publisher_cursors to wm_app;
grant select, insert, update on wm.publisher_cursors to wm_system;
grant select, update (state), delete on wm.parked_messages to wm_app;
grant select, insert, update, delete on wm.parked_messages to wm_system;
grant select on wm.publisher_states to wm_app;
grant select, insert, update on wm.publisher_states to wm_system;
