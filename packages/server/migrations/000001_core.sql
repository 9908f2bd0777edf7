-- The core: tenants, keys, orders, items, submissions, parts, decisions, effects, records, idempotency, events, ledger.
-- tenant_id comes first in every key; row security is on and forced on every tenant table; the runtime roles own nothing.

create schema wm;

-- Two runtime roles, taken on with `set role` by the login role: wm_app sees one tenant, wm_system sweeps over all of them.
-- Neither is an owner, neither bypasses row security.
do $$
begin
  create role wm_app nologin;
exception when duplicate_object or unique_violation then null;
end $$;
do $$
begin
  create role wm_system nologin;
exception when duplicate_object or unique_violation then null;
end $$;

grant usage on schema wm to wm_app, wm_system;

-- The tenant of this transaction; null (so: no rows) when it is unset or was reset to ''.
create function wm.current_tenant() returns uuid
  language sql stable parallel safe
  as $$ select nullif(current_setting('wm.tenant_id', true), '')::uuid $$;

-- Timestamps on the wire: UTC, microseconds, Z.
create function wm.wire_time(t timestamptz) returns text
  language sql stable parallel safe
  as $$ select to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

-- One row: which cluster this is. A restore raises the epoch, which kills every older lease token.
create table wm.cluster (
  only_row boolean primary key default true check (only_row),
  id uuid not null default gen_random_uuid(),
  epoch integer not null default 1,
  created_at timestamptz not null default now()
);
insert into wm.cluster default values;

create table wm.tenants (
  id uuid primary key,
  slug text not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text not null,
  created_at timestamptz not null default now(),
  suspended_at timestamptz
);

create table wm.api_keys (
  tenant_id uuid not null references wm.tenants,
  id uuid not null,
  prefix text not null,
  key_hash bytea not null,
  name text not null,
  principal_kind text not null check (principal_kind in ('agent', 'person', 'service')),
  principal_id text not null check (length(principal_id) between 1 and 255),
  abilities text[] not null,
  created_by text,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  replaced_by uuid,
  primary key (tenant_id, id)
);
-- Look-up happens before the tenant is known; the hash of 32 random bytes tells nobody anything.
create unique index api_keys_hash_key on wm.api_keys (key_hash);

-- Where calls came from. Content-addressed: equal callers share one row, so the hot path writes none.
create table wm.provenance (
  tenant_id uuid not null,
  id uuid not null,
  principal text not null,
  key_id uuid,
  agent_id text not null,
  claimed_agent_id text,
  agent_name text,
  agent_version text,
  agent_type text,
  model_name text,
  runtime text,
  ip text,
  user_agent text,
  fingerprint text not null,
  first_seen_at timestamptz not null default now(),
  primary key (tenant_id, id)
);

-- Big documents leave the row at 256 bytes, so that a counter update does not rewrite a payload; room on the page keeps it HOT.
create table wm.orders (
  tenant_id uuid not null references wm.tenants,
  id uuid not null,
  type text not null,
  type_version integer not null,
  state text not null,
  priority integer not null check (priority between -32768 and 32767),
  revision integer not null default 1,
  requested_by_type text,
  requested_by_id text,
  requested_by_principal text not null,
  payload json not null,
  meta jsonb,
  acceptance_config json,
  on_item_failure text not null check (on_item_failure in ('fail_order', 'proceed')),
  items_total integer not null default 0,
  items_submitted integer not null default 0,
  items_dead integer not null default 0,
  approval_id uuid,
  apply_attempts integer not null default 0,
  last_apply_error json,
  auto_approval_tried_revision integer not null default 0,
  stale_alerted_at timestamptz,
  applied_at timestamptz,
  completed_at timestamptz,
  last_transitioned_at timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  check (items_submitted >= 0 and items_dead >= 0 and items_submitted + items_dead <= items_total),
  check ((state in ('approved', 'applied', 'completed')) = (approval_id is not null))
) with (fillfactor = 70, toast_tuple_target = 256, autovacuum_vacuum_scale_factor = 0.05);
create index orders_list_idx on wm.orders (tenant_id, priority desc, created_at, id);
create index orders_state_idx on wm.orders (tenant_id, state, priority desc, created_at, id);
create index orders_type_idx on wm.orders (tenant_id, type, state);
create index orders_requester_idx on wm.orders (tenant_id, requested_by_type, requested_by_id);
create index orders_meta_idx on wm.orders using gin (meta jsonb_path_ops) where meta is not null;
create index orders_waiting_idx on wm.orders (last_transitioned_at) where state in ('submitted', 'approved', 'failed');
create index orders_open_idx on wm.orders (last_transitioned_at)
  where state in ('queued', 'checked_out', 'in_progress', 'submitted', 'approved');

create table wm.items (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  ordinal integer not null,
  type text not null,
  order_type text not null,
  priority integer not null,
  state text not null,
  attempts integer not null default 0,
  max_attempts integer not null check (max_attempts between 1 and 1000),
  lease_ttl_seconds integer not null check (lease_ttl_seconds between 1 and 86400),
  require_token boolean not null,
  record_heartbeats boolean not null,
  generation bigint not null default 0,
  lease_token text,
  leased_by_agent_id text,
  leased_by_principal text,
  lease_expires_at timestamptz,
  last_heartbeat_at timestamptz,
  submission_number integer not null default 0,
  input json not null,
  parts_required text[],
  parts_state json,
  rework json,
  error json,
  available_at timestamptz,
  accepted_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, order_id) references wm.orders (tenant_id, id),
  check ((state in ('leased', 'in_progress')) = (lease_token is not null)),
  check ((lease_token is null) = (lease_expires_at is null)),
  check ((lease_token is null) = (leased_by_agent_id is null)),
  check (available_at is null or state = 'failed')
) with (fillfactor = 70, toast_tuple_target = 256, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create unique index items_order_idx on wm.items (tenant_id, order_id, ordinal);
-- Claims walk these two; leases in flight and finished items are not in them.
create index items_ready_idx on wm.items (tenant_id, priority desc, id) where state = 'queued';
create index items_ready_type_idx on wm.items (tenant_id, order_type, priority desc, id) where state = 'queued';
-- No index holds lease_expires_at, so a heartbeat is a HOT update; the reclaimer reads the few leased rows through this one.
create index items_leased_idx on wm.items (tenant_id, id) where state in ('leased', 'in_progress');
create index items_failed_idx on wm.items (available_at) where state = 'failed';

create table wm.submissions (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  item_id uuid not null,
  number integer not null check (number >= 1),
  result json not null,
  evidence json,
  notes text,
  digest text not null,
  assembled_parts integer,
  submitted_by_agent_id text not null,
  submitted_by_principal text not null,
  generation bigint not null,
  decided_at timestamptz not null,
  primary key (tenant_id, item_id, number),
  foreign key (tenant_id, item_id) references wm.items (tenant_id, id)
) with (toast_tuple_target = 256);
create index submissions_order_idx on wm.submissions (tenant_id, order_id);

create table wm.parts (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  item_id uuid not null,
  part_key text not null check (length(part_key) between 1 and 120),
  seq integer check (seq >= 0),
  revision integer not null check (revision >= 1),
  status text not null check (status in ('validated', 'rejected')),
  payload json not null,
  evidence json,
  notes text,
  errors json,
  checksum text not null,
  submitted_by_agent_id text not null,
  submitted_by_principal text not null,
  generation bigint not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, item_id) references wm.items (tenant_id, id)
);
-- seq null is one slot of its own (the predecessor's index let duplicates through).
create unique index parts_slot_idx on wm.parts (tenant_id, item_id, part_key, coalesce(seq, -1), revision);

create table wm.approvals (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  revision integer not null,
  decision text not null check (decision in ('approved', 'rejected')),
  digest text,
  actor_type text not null check (actor_type in ('user', 'system')),
  actor_id text,
  principal text not null,
  errors json,
  rework_item_ids uuid[],
  policy json,
  decided_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, order_id) references wm.orders (tenant_id, id),
  check ((decision = 'approved') = (digest is not null))
);
create index approvals_order_idx on wm.approvals (tenant_id, order_id);

create table wm.effects (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  name text not null,
  key text not null,
  input json,
  state text not null check (state in ('pending', 'running', 'delivered', 'unknown')),
  deduplicates boolean not null,
  attempts integer not null default 0,
  available_at timestamptz not null,
  receipt json,
  last_error json,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, order_id) references wm.orders (tenant_id, id)
);
create unique index effects_key_idx on wm.effects (tenant_id, key);
create index effects_due_idx on wm.effects (available_at) where state in ('pending', 'running');

-- A small document table for order types that bring no tables of their own.
create table wm.records (
  tenant_id uuid not null references wm.tenants,
  collection text not null check (length(collection) between 1 and 120),
  key text not null check (length(key) between 1 and 500),
  value json not null,
  order_id uuid not null,
  updated_at timestamptz not null,
  primary key (tenant_id, collection, key)
);

create table wm.idempotency (
  tenant_id uuid not null,
  principal text not null,
  operation text not null,
  key_hash bytea not null,
  fingerprint bytea not null,
  status integer,
  body text,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (tenant_id, principal, operation, key_hash),
  check ((status is null) = (body is null))
);
-- Rows arrive in time order: a block range index serves the pruner at almost no cost per insert.
create index idempotency_created_idx on wm.idempotency using brin (created_at);

create table wm.generator_runs (
  tenant_id uuid not null references wm.tenants,
  generator text not null,
  last_run_at timestamptz not null,
  next_run_at timestamptz not null,
  proposed bigint not null default 0,
  last_error text,
  primary key (tenant_id, generator)
);

-- Facts. Append only; inserted in the transaction of the change. `xid` lets the sequencer see which ones may still be uncommitted.
create table wm.events (
  tenant_id uuid not null,
  position bigint generated always as identity,
  id uuid not null default gen_random_uuid(),
  order_id uuid,
  item_id uuid,
  kind text not null,
  order_type text,
  actor_type text check (actor_type in ('user', 'agent', 'system')),
  actor_id text,
  principal text,
  request_id text,
  trace_id text,
  provenance_id uuid,
  priority smallint not null,
  payload json,
  diff json,
  message text,
  decided_at timestamptz not null,
  xid bigint not null default pg_current_xact_id()::text::bigint,
  primary key (tenant_id, position, decided_at)
) partition by range (decided_at);
create index events_order_idx on wm.events (tenant_id, order_id, position);
create index events_item_idx on wm.events (tenant_id, item_id, position) where item_id is not null;
create index events_provenance_idx on wm.events (tenant_id, provenance_id, position) where provenance_id is not null;
create index events_xid_idx on wm.events (xid, position);
create table wm.events_default partition of wm.events default;

-- Makes the monthly partitions of this month and the next ones. Runs as its owner, because the runtime roles may not create tables.
create function wm.ensure_event_partitions(months_ahead integer default 2) returns integer
  language plpgsql security definer set search_path = pg_catalog
  as $$
declare
  month date := date_trunc('month', now() at time zone 'UTC')::date;
  made integer := 0;
  partition_name text;
begin
  perform pg_advisory_xact_lock(hashtextextended('wm.ensure_event_partitions', 0));
  for n in 0 .. least(greatest(months_ahead, 0), 24) loop
    partition_name := 'events_' || to_char(month + make_interval(months => n), 'YYYY_MM');
    if to_regclass('wm.' || partition_name) is null then
      begin
        execute format('create table wm.%I partition of wm.events for values from (%L) to (%L)', partition_name,
          to_char(month + make_interval(months => n), 'YYYY-MM-DD') || ' 00:00:00+00',
          to_char(month + make_interval(months => n + 1), 'YYYY-MM-DD') || ' 00:00:00+00');
        execute format('alter table wm.%I enable row level security', partition_name);
        execute format('alter table wm.%I force row level security', partition_name);
        execute format('create trigger events_no_truncate before truncate on wm.%I for each statement execute function wm.refuse_change()',
          partition_name);
        made := made + 1;
      exception when check_violation then
        -- Facts of that month already went to the default partition; they stay readable there.
        null;
      end;
    end if;
  end loop;
  return made;
end $$;
revoke all on function wm.ensure_event_partitions(integer) from public;
grant execute on function wm.ensure_event_partitions(integer) to wm_system;

-- Order and proof, added right after the commit by the sequencer: a gap-free number per tenant and a hash chain.
create table wm.ledger (
  tenant_id uuid not null,
  seq bigint not null check (seq >= 1),
  event_position bigint not null,
  event_decided_at timestamptz not null,
  prev_hash bytea not null,
  hash bytea not null,
  sequenced_at timestamptz not null,
  primary key (tenant_id, seq)
);
create unique index ledger_event_idx on wm.ledger (tenant_id, event_position);
create table wm.ledger_heads (
  tenant_id uuid primary key,
  seq bigint not null,
  hash bytea not null
) with (fillfactor = 50);
-- Where the sequencer stands: every event below low_water_xid is sequenced; newest_xid only speeds up the common case.
create table wm.ledger_progress (
  only_row boolean primary key default true check (only_row),
  low_water_xid bigint not null default 0,
  newest_xid bigint not null default 0
) with (fillfactor = 50);
insert into wm.ledger_progress default values;

create function wm.refuse_change() returns trigger
  language plpgsql
  as $$
begin
  raise exception 'wm.% is append only', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger events_append_only before update or delete on wm.events for each row execute function wm.refuse_change();
create trigger ledger_append_only before update or delete on wm.ledger for each row execute function wm.refuse_change();
create trigger events_no_truncate before truncate on wm.events for each statement execute function wm.refuse_change();
create trigger ledger_no_truncate before truncate on wm.ledger for each statement execute function wm.refuse_change();
-- Row triggers reach the partitions by themselves, statement triggers do not: each partition gets its own.
create trigger events_no_truncate before truncate on wm.events_default for each statement execute function wm.refuse_change();
create trigger submissions_append_only before update or delete on wm.submissions for each row execute function wm.refuse_change();
create trigger approvals_append_only before update or delete on wm.approvals for each row execute function wm.refuse_change();
create trigger submissions_no_truncate before truncate on wm.submissions for each statement execute function wm.refuse_change();
create trigger approvals_no_truncate before truncate on wm.approvals for each statement execute function wm.refuse_change();

-- Row security: wm_app sees its tenant, wm_system sees all, everybody else (the owner too) sees nothing.
do $$
declare
  t text;
begin
  foreach t in array array['api_keys', 'provenance', 'orders', 'items', 'submissions', 'parts', 'approvals', 'effects', 'records',
    'idempotency', 'generator_runs', 'events', 'events_default', 'ledger', 'ledger_heads'] loop
    execute format('alter table wm.%I enable row level security', t);
    execute format('alter table wm.%I force row level security', t);
    if t <> 'events_default' then
      execute format('create policy app on wm.%I to wm_app using (tenant_id = wm.current_tenant()) with check (tenant_id = wm.current_tenant())', t);
      execute format('create policy system on wm.%I to wm_system using (true) with check (true)', t);
    end if;
  end loop;
end $$;
alter table wm.tenants enable row level security;
alter table wm.tenants force row level security;
create policy app on wm.tenants to wm_app using (id = wm.current_tenant());
create policy system on wm.tenants to wm_system using (true) with check (true);

-- Privileges by column: what never changes cannot be changed, not even by a bug.
grant select on wm.cluster, wm.ledger_progress to wm_app, wm_system;
grant select on wm.tenants to wm_app;
grant select, insert, update (name, suspended_at) on wm.tenants to wm_system;
grant select, insert, update (revoked_at, replaced_by) on wm.api_keys to wm_app, wm_system;
grant select, insert on wm.provenance to wm_app, wm_system;
grant select, insert,
  update (state, revision, items_total, items_submitted, items_dead, approval_id, apply_attempts, last_apply_error,
    auto_approval_tried_revision, stale_alerted_at, applied_at, completed_at, last_transitioned_at, updated_at)
  on wm.orders to wm_app, wm_system;
grant select, insert,
  update (state, attempts, generation, lease_token, leased_by_agent_id, leased_by_principal, lease_expires_at, last_heartbeat_at,
    submission_number, parts_state, rework, error, available_at, accepted_at, updated_at)
  on wm.items to wm_app, wm_system;
grant select, insert on wm.submissions, wm.parts, wm.approvals to wm_app, wm_system;
grant select, insert, update (state, attempts, available_at, receipt, last_error, updated_at) on wm.effects to wm_app, wm_system;
grant select, insert, update, delete on wm.records to wm_app;
grant select on wm.records to wm_system;
grant select, insert, update (status, body, expires_at) on wm.idempotency to wm_app;
grant select, delete on wm.idempotency to wm_system;
grant select, insert, update on wm.generator_runs to wm_app, wm_system;
grant select, insert on wm.events to wm_app, wm_system;
grant select on wm.ledger, wm.ledger_heads to wm_app;
grant select, insert on wm.ledger to wm_system;
grant select, insert, update on wm.ledger_heads to wm_system;
grant update on wm.ledger_progress to wm_system;
