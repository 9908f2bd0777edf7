-- The schema after every migration, written by `npm run generate` from a fresh database. Do not edit; nothing runs it.
-- The migrations in packages/server/migrations make the schema; this is where a reader sees the result, and a review sees the change.

create schema wm;
grant usage on schema wm to wm_app;
grant usage on schema wm to wm_system;
grant usage on schema wm to wm_window;

create table public.work_manager_migrations (
  name text not null,
  hash text not null,
  applied_at timestamp with time zone default now() not null,
  constraint work_manager_migrations_pkey PRIMARY KEY (name)
);
grant select on public.work_manager_migrations to wm_app;
grant select on public.work_manager_migrations to wm_system;

create table wm.api_keys (
  tenant_id uuid not null,
  id uuid not null,
  prefix text not null,
  key_hash bytea not null,
  name text not null,
  principal_kind text not null,
  principal_id text not null,
  abilities text[] not null,
  created_by text,
  created_at timestamp with time zone default now() not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  replaced_by uuid,
  grants text[],
  grants_until timestamp with time zone,
  makers text[] default '{}'::text[] not null,
  constraint api_keys_pkey PRIMARY KEY (tenant_id, id),
  constraint api_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES wm.tenants(id),
  constraint api_keys_check CHECK (((grants IS NULL) OR (principal_kind = 'person'::text))),
  constraint api_keys_principal_id_check CHECK (((length(principal_id) >= 1) AND (length(principal_id) <= 255))),
  constraint api_keys_principal_kind_check CHECK ((principal_kind = ANY (ARRAY['agent'::text, 'person'::text, 'service'::text])))
);
CREATE UNIQUE INDEX api_keys_hash_key ON wm.api_keys USING btree (key_hash);
CREATE INDEX api_keys_makers_idx ON wm.api_keys USING gin (makers) WHERE (makers <> '{}'::text[]);
alter table wm.api_keys enable row level security, force row level security;
create policy app on wm.api_keys for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.api_keys for all to wm_system using (true) with check (true);
create policy "window" on wm.api_keys for all to wm_window using (wm.is_in_window(tenant_id)) with check (wm.is_in_window(tenant_id));
grant insert, select on wm.api_keys to wm_app;
grant insert, select on wm.api_keys to wm_system;
grant select on wm.api_keys to wm_window;
grant update (revoked_at, replaced_by) on wm.api_keys to wm_app;
grant update (revoked_at, replaced_by) on wm.api_keys to wm_system;

create table wm.approvals (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  revision integer not null,
  decision text not null,
  digest text,
  actor_type text not null,
  actor_id text,
  principal text not null,
  errors json,
  rework_item_ids uuid[],
  policy json,
  decided_at timestamp with time zone not null,
  traceparent text,
  constraint approvals_pkey PRIMARY KEY (tenant_id, id),
  constraint approvals_tenant_id_order_id_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES wm.orders(tenant_id, id),
  constraint approvals_actor_type_check CHECK ((actor_type = ANY (ARRAY['user'::text, 'system'::text]))),
  constraint approvals_check CHECK (((decision = 'approved'::text) = (digest IS NOT NULL))),
  constraint approvals_decision_check CHECK ((decision = ANY (ARRAY['approved'::text, 'rejected'::text])))
);
CREATE INDEX approvals_order_idx ON wm.approvals USING btree (tenant_id, order_id);
alter table wm.approvals enable row level security, force row level security;
create policy app on wm.approvals for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.approvals for all to wm_system using (true) with check (true);
CREATE TRIGGER approvals_append_only BEFORE DELETE OR UPDATE ON wm.approvals FOR EACH ROW EXECUTE FUNCTION wm.refuse_change();
CREATE TRIGGER approvals_no_truncate BEFORE TRUNCATE ON wm.approvals FOR EACH STATEMENT EXECUTE FUNCTION wm.refuse_change();
grant insert, select on wm.approvals to wm_app;
grant insert, select on wm.approvals to wm_system;

create table wm.cluster (
  only_row boolean default true not null,
  id uuid default gen_random_uuid() not null,
  epoch integer default 1 not null,
  created_at timestamp with time zone default now() not null,
  paused_at timestamp with time zone,
  paused_by text,
  pause_reason text,
  secret bytea default sha256((uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))) not null,
  constraint cluster_pkey PRIMARY KEY (only_row),
  constraint cluster_check CHECK ((((paused_at IS NULL) = (paused_by IS NULL)) AND ((paused_at IS NULL) = (pause_reason IS NULL)))),
  constraint cluster_only_row_check CHECK (only_row)
);
grant select on wm.cluster to wm_system;
grant select (only_row, id, epoch, created_at, paused_at, paused_by, pause_reason) on wm.cluster to wm_app;
grant update (paused_at, paused_by, pause_reason) on wm.cluster to wm_system;
grant select (only_row, epoch, paused_at) on wm.cluster to wm_window;

create table wm.effects (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  name text not null,
  key text not null,
  input json,
  state text not null,
  deduplicates boolean not null,
  attempts integer default 0 not null,
  available_at timestamp with time zone not null,
  receipt json,
  last_error json,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  traceparent text,
  constraint effects_pkey PRIMARY KEY (tenant_id, id),
  constraint effects_tenant_id_order_id_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES wm.orders(tenant_id, id),
  constraint effects_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'running'::text, 'delivered'::text, 'unknown'::text])))
);
CREATE INDEX effects_due_idx ON wm.effects USING btree (tenant_id, available_at) WHERE (state = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE UNIQUE INDEX effects_key_idx ON wm.effects USING btree (tenant_id, key);
alter table wm.effects enable row level security, force row level security;
create policy app on wm.effects for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.effects for all to wm_system using (true) with check (true);
grant insert, select on wm.effects to wm_app;
grant insert, select on wm.effects to wm_system;
grant update (state, attempts, available_at, receipt, last_error, updated_at) on wm.effects to wm_app;
grant update (state, attempts, available_at, receipt, last_error, updated_at) on wm.effects to wm_system;

create table wm.events (
  tenant_id uuid not null,
  seq bigint not null,
  id uuid not null,
  subject_type text not null,
  subject_id uuid,
  root_id uuid,
  label text,
  kind text not null,
  actor_type text,
  actor_id text,
  principal text,
  request_id text,
  trace_id text,
  provenance_id uuid,
  correlation_id text,
  causation_id uuid,
  session_key text,
  priority smallint not null,
  payload json,
  diff json,
  message text,
  reason text,
  seconds numeric(14,3),
  decided_at timestamp with time zone not null,
  sequenced_at timestamp with time zone not null,
  hash_version smallint not null,
  hash bytea not null,
  constraint events_pkey PRIMARY KEY (tenant_id, seq, decided_at),
  constraint events_actor_type_check CHECK ((actor_type = ANY (ARRAY['user'::text, 'agent'::text, 'system'::text]))),
  constraint events_hash_version_check CHECK ((hash_version = ANY (ARRAY[1, 2]))),
  constraint events_seq_check CHECK ((seq >= 1))
) partition by RANGE (decided_at);
create table wm.events_default partition of wm.events DEFAULT;
CREATE INDEX events_correlation_idx ON ONLY wm.events USING btree (tenant_id, correlation_id, seq) WHERE ((correlation_id IS NOT NULL) AND (kind <> ALL (ARRAY['item.leased'::text, 'item.in_progress'::text, 'item.heartbeat'::text, 'item.submitted'::text, 'order.checked_out'::text, 'order.in_progress'::text, 'order.submitted'::text])));
CREATE INDEX events_kind_idx ON ONLY wm.events USING btree (tenant_id, kind, seq) WHERE (kind <> ALL (ARRAY['item.leased'::text, 'item.in_progress'::text, 'item.heartbeat'::text, 'item.submitted'::text, 'order.checked_out'::text, 'order.in_progress'::text, 'order.submitted'::text]));
CREATE INDEX events_provenance_idx ON ONLY wm.events USING btree (tenant_id, provenance_id, seq) WHERE (provenance_id IS NOT NULL);
CREATE INDEX events_root_idx ON ONLY wm.events USING btree (tenant_id, root_id, seq);
CREATE INDEX events_subject_idx ON ONLY wm.events USING btree (tenant_id, subject_id, seq) WHERE (kind <> ALL (ARRAY['item.leased'::text, 'item.in_progress'::text, 'item.heartbeat'::text, 'item.submitted'::text, 'order.checked_out'::text, 'order.in_progress'::text, 'order.submitted'::text]));
alter table wm.events enable row level security, force row level security;
alter table wm.events_default enable row level security, force row level security;
create policy app on wm.events for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.events for all to wm_system using (true) with check (true);
CREATE TRIGGER events_append_only BEFORE DELETE OR UPDATE ON wm.events FOR EACH ROW EXECUTE FUNCTION wm.refuse_change();
CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON wm.events FOR EACH STATEMENT EXECUTE FUNCTION wm.refuse_change();
grant select on wm.events to wm_app;
grant insert, select on wm.events to wm_system;

create table wm.generator_runs (
  tenant_id uuid not null,
  generator text not null,
  last_run_at timestamp with time zone not null,
  next_run_at timestamp with time zone not null,
  proposed bigint default 0 not null,
  last_error text,
  constraint generator_runs_pkey PRIMARY KEY (tenant_id, generator),
  constraint generator_runs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES wm.tenants(id)
);
alter table wm.generator_runs enable row level security, force row level security;
create policy app on wm.generator_runs for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.generator_runs for all to wm_system using (true) with check (true);
grant insert, select, update on wm.generator_runs to wm_app;
grant insert, select, update on wm.generator_runs to wm_system;

create table wm.idempotency (
  tenant_id uuid not null,
  principal text not null,
  operation text not null,
  key_hash bytea not null,
  fingerprint bytea not null,
  status integer,
  body text,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  constraint idempotency_pkey PRIMARY KEY (tenant_id, principal, operation, key_hash),
  constraint idempotency_check CHECK (((status IS NULL) = (body IS NULL)))
);
CREATE INDEX idempotency_created_idx ON wm.idempotency USING brin (created_at);
alter table wm.idempotency enable row level security, force row level security;
create policy app on wm.idempotency for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.idempotency for all to wm_system using (true) with check (true);
create policy "window" on wm.idempotency for all to wm_window using (wm.is_in_window(tenant_id)) with check (wm.is_in_window(tenant_id));
grant insert, select on wm.idempotency to wm_app;
grant delete, select on wm.idempotency to wm_system;
grant insert, select on wm.idempotency to wm_window;
grant update (status, body, expires_at) on wm.idempotency to wm_app;

create table wm.intake (
  tenant_id uuid not null,
  id bigint generated by default as identity not null,
  decided_at timestamp with time zone not null,
  kinds text[] not null,
  size integer default cardinality(kinds) not null,
  ids uuid[],
  subject_ids uuid[],
  root_ids uuid[],
  labels text[],
  actor_types text[],
  actor_ids text[],
  principals text[],
  request_ids text[],
  trace_ids text[],
  provenance_ids uuid[],
  correlation_ids text[],
  causation_ids uuid[],
  session_keys text[],
  payloads text[],
  diffs text[],
  messages text[],
  reasons text[],
  seconds numeric(14,3)[],
  constraint intake_pkey PRIMARY KEY (tenant_id, id),
  constraint intake_size_check CHECK ((size > 0))
) with (toast_tuple_target=8160, autovacuum_vacuum_threshold=500, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_cost_delay=0);
alter table wm.intake enable row level security, force row level security;
create policy app on wm.intake for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.intake for all to wm_system using (true) with check (true);
create policy "window" on wm.intake for all to wm_window using (wm.is_in_window(tenant_id)) with check (wm.is_in_window(tenant_id));
CREATE TRIGGER intake_no_truncate BEFORE TRUNCATE ON wm.intake FOR EACH STATEMENT EXECUTE FUNCTION wm.refuse_change();
CREATE TRIGGER intake_no_update BEFORE UPDATE ON wm.intake FOR EACH ROW EXECUTE FUNCTION wm.refuse_change();
CREATE TRIGGER intake_only_numbered BEFORE DELETE ON wm.intake FOR EACH ROW WHEN ((CURRENT_USER <> 'wm_system'::name)) EXECUTE FUNCTION wm.refuse_change();
grant insert, select on wm.intake to wm_app;
grant delete, insert, select on wm.intake to wm_system;
grant insert on wm.intake to wm_window;

create table wm.items (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  ordinal integer not null,
  type text not null,
  order_type text not null,
  priority integer not null,
  state text not null,
  attempts integer default 0 not null,
  max_attempts integer not null,
  lease_ttl_seconds integer not null,
  require_token boolean not null,
  record_heartbeats boolean not null,
  generation bigint default 0 not null,
  lease_token text,
  leased_by_agent_id text,
  leased_by_principal text,
  lease_expires_at timestamp with time zone,
  last_heartbeat_at timestamp with time zone,
  submission_number integer default 0 not null,
  input json not null,
  parts_required text[],
  parts_state json,
  rework json,
  error json,
  available_at timestamp with time zone,
  accepted_at timestamp with time zone,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  ready boolean not null,
  leased boolean not null,
  failed boolean not null,
  due_at timestamp with time zone not null,
  traceparent text,
  correlation_id text,
  session_key text,
  leased_at timestamp with time zone,
  lease_ends_by timestamp with time zone,
  max_lease_seconds integer,
  dropped_by jsonb,
  constraint items_pkey PRIMARY KEY (tenant_id, id),
  constraint items_tenant_id_order_id_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES wm.orders(tenant_id, id),
  constraint items_check CHECK (((state = ANY (ARRAY['leased'::text, 'in_progress'::text])) = (lease_token IS NOT NULL))),
  constraint items_check1 CHECK (((lease_token IS NULL) = (lease_expires_at IS NULL))),
  constraint items_check2 CHECK (((lease_token IS NULL) = (leased_by_agent_id IS NULL))),
  constraint items_check3 CHECK (((available_at IS NULL) OR (state = 'failed'::text))),
  constraint items_lease_ttl_seconds_check CHECK (((lease_ttl_seconds >= 1) AND (lease_ttl_seconds <= 86400))),
  constraint items_max_attempts_check CHECK (((max_attempts >= 1) AND (max_attempts <= 1000))),
  constraint items_max_lease_seconds_check CHECK ((max_lease_seconds > 0))
) with (fillfactor=70, toast_tuple_target=256, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0);
CREATE INDEX items_failed_idx ON wm.items USING btree (tenant_id, available_at) WHERE failed;
CREATE INDEX items_leased_idx ON wm.items USING btree (tenant_id, leased_by_agent_id, order_type) WHERE leased;
CREATE UNIQUE INDEX items_order_idx ON wm.items USING btree (tenant_id, order_id, ordinal);
CREATE INDEX items_ready_idx ON wm.items USING btree (tenant_id, due_at, priority, id) WHERE ready;
CREATE INDEX items_ready_type_idx ON wm.items USING btree (tenant_id, order_type, due_at, priority, id) WHERE ready;
alter table wm.items enable row level security, force row level security;
create policy app on wm.items for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.items for all to wm_system using (true) with check (true);
create policy "window" on wm.items for all to wm_window using (wm.is_in_window(tenant_id)) with check (wm.is_in_window(tenant_id));
CREATE TRIGGER items_marks BEFORE INSERT OR UPDATE ON wm.items FOR EACH ROW WHEN (((new.ready IS DISTINCT FROM (new.state = 'queued'::text)) OR (new.leased IS DISTINCT FROM (new.state = ANY (ARRAY['leased'::text, 'in_progress'::text]))) OR (new.failed IS DISTINCT FROM (new.state = 'failed'::text)))) EXECUTE FUNCTION wm.keep_item_marks();
CREATE TRIGGER items_state_insert BEFORE INSERT ON wm.items FOR EACH ROW WHEN ((new.state <> 'queued'::text)) EXECUTE FUNCTION wm.guard_item_state();
CREATE TRIGGER items_state_update BEFORE UPDATE ON wm.items FOR EACH ROW WHEN (((old.state IS DISTINCT FROM new.state) AND (((old.state || '>'::text) || new.state) <> ALL (ARRAY['queued>leased'::text, 'queued>failed'::text, 'queued>cancelled'::text, 'leased>in_progress'::text, 'leased>queued'::text, 'leased>failed'::text, 'leased>cancelled'::text, 'in_progress>submitted'::text, 'in_progress>queued'::text, 'in_progress>failed'::text, 'in_progress>cancelled'::text, 'submitted>accepted'::text, 'submitted>rejected'::text, 'submitted>cancelled'::text, 'accepted>completed'::text, 'rejected>queued'::text, 'rejected>cancelled'::text, 'failed>queued'::text, 'failed>dead_lettered'::text, 'failed>cancelled'::text, 'dead_lettered>queued'::text])))) EXECUTE FUNCTION wm.guard_item_state();
CREATE CONSTRAINT TRIGGER items_submitted_deleted AFTER DELETE ON wm.items NOT DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW EXECUTE FUNCTION wm.keep_submitted_item();
CREATE CONSTRAINT TRIGGER items_submitted_renamed AFTER UPDATE OF tenant_id, id ON wm.items NOT DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW WHEN (((old.tenant_id <> new.tenant_id) OR (old.id <> new.id))) EXECUTE FUNCTION wm.keep_submitted_item();
grant insert, select on wm.items to wm_app;
grant insert, select on wm.items to wm_system;
grant select on wm.items to wm_window;
grant update (state, attempts, generation, lease_token, leased_by_agent_id, leased_by_principal, lease_expires_at, last_heartbeat_at, submission_number, parts_state, rework, error, available_at, accepted_at, updated_at, leased_at, lease_ends_by, dropped_by) on wm.items to wm_app;
grant update (state, attempts, generation, lease_token, leased_by_agent_id, leased_by_principal, lease_expires_at, last_heartbeat_at, submission_number, parts_state, rework, error, available_at, accepted_at, updated_at, leased_at, lease_ends_by, dropped_by) on wm.items to wm_system;
grant update (state, attempts, generation, lease_token, leased_by_agent_id, leased_by_principal, lease_expires_at, last_heartbeat_at, submission_number, error, updated_at, ready, leased, leased_at, lease_ends_by) on wm.items to wm_window;

create table wm.ledger_heads (
  tenant_id uuid not null,
  seq bigint not null,
  hash bytea not null,
  constraint ledger_heads_pkey PRIMARY KEY (tenant_id)
) with (fillfactor=50);
alter table wm.ledger_heads enable row level security, force row level security;
create policy app on wm.ledger_heads for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.ledger_heads for all to wm_system using (true) with check (true);
grant select on wm.ledger_heads to wm_app;
grant insert, select, update on wm.ledger_heads to wm_system;

create table wm.orders (
  tenant_id uuid not null,
  id uuid not null,
  type text not null,
  type_version integer not null,
  state text not null,
  priority integer not null,
  revision integer default 1 not null,
  requested_by_type text,
  requested_by_id text,
  requested_by_principal text not null,
  payload json not null,
  meta jsonb,
  acceptance_config json,
  on_item_failure text not null,
  items_total integer default 0 not null,
  items_submitted integer default 0 not null,
  items_dead integer default 0 not null,
  approval_id uuid,
  apply_attempts integer default 0 not null,
  last_apply_error json,
  auto_approval_tried_revision integer default 0 not null,
  stale_alerted_at timestamp with time zone,
  applied_at timestamp with time zone,
  completed_at timestamp with time zone,
  last_transitioned_at timestamp with time zone not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  traceparent text,
  correlation_id text,
  session_key text,
  constraint orders_pkey PRIMARY KEY (tenant_id, id),
  constraint orders_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES wm.tenants(id),
  constraint orders_check CHECK (((items_submitted >= 0) AND (items_dead >= 0) AND ((items_submitted + items_dead) <= items_total))),
  constraint orders_check1 CHECK (((state = ANY (ARRAY['approved'::text, 'applied'::text, 'completed'::text])) = (approval_id IS NOT NULL))),
  constraint orders_on_item_failure_check CHECK ((on_item_failure = ANY (ARRAY['fail_order'::text, 'proceed'::text]))),
  constraint orders_priority_check CHECK (((priority >= '-32768'::integer) AND (priority <= 32767)))
) with (fillfactor=70, toast_tuple_target=256, autovacuum_vacuum_scale_factor=0.05);
CREATE INDEX orders_approved_idx ON wm.orders USING btree (tenant_id, last_transitioned_at) WHERE (state = 'approved'::text);
CREATE INDEX orders_list_idx ON wm.orders USING btree (tenant_id, priority DESC, created_at, id);
CREATE INDEX orders_meta_idx ON wm.orders USING gin (meta jsonb_path_ops) WHERE (meta IS NOT NULL);
CREATE INDEX orders_open_idx ON wm.orders USING btree (last_transitioned_at) WHERE (state = ANY (ARRAY['queued'::text, 'checked_out'::text, 'in_progress'::text, 'submitted'::text, 'approved'::text]));
CREATE INDEX orders_requester_idx ON wm.orders USING btree (tenant_id, requested_by_type, requested_by_id);
CREATE INDEX orders_state_idx ON wm.orders USING btree (tenant_id, state, priority DESC, created_at, id);
CREATE INDEX orders_type_idx ON wm.orders USING btree (tenant_id, type, state);
CREATE INDEX orders_undecided_idx ON wm.orders USING btree (tenant_id, last_transitioned_at, type) WHERE ((state = 'submitted'::text) AND (auto_approval_tried_revision < revision));
alter table wm.orders enable row level security, force row level security;
create policy app on wm.orders for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.orders for all to wm_system using (true) with check (true);
create policy "window" on wm.orders for all to wm_window using (wm.is_in_window(tenant_id)) with check (wm.is_in_window(tenant_id));
CREATE TRIGGER orders_state_insert BEFORE INSERT ON wm.orders FOR EACH ROW WHEN ((new.state <> 'queued'::text)) EXECUTE FUNCTION wm.guard_order_state();
CREATE TRIGGER orders_state_update BEFORE UPDATE ON wm.orders FOR EACH ROW WHEN (((old.state IS DISTINCT FROM new.state) AND (((old.state || '>'::text) || new.state) <> ALL (ARRAY['queued>checked_out'::text, 'queued>submitted'::text, 'queued>failed'::text, 'queued>cancelled'::text, 'checked_out>in_progress'::text, 'checked_out>queued'::text, 'checked_out>submitted'::text, 'checked_out>failed'::text, 'checked_out>cancelled'::text, 'in_progress>queued'::text, 'in_progress>submitted'::text, 'in_progress>failed'::text, 'in_progress>cancelled'::text, 'submitted>approved'::text, 'submitted>rejected'::text, 'submitted>cancelled'::text, 'approved>applied'::text, 'approved>submitted'::text, 'approved>cancelled'::text, 'applied>completed'::text, 'rejected>queued'::text, 'rejected>cancelled'::text, 'failed>queued'::text, 'failed>dead_lettered'::text, 'dead_lettered>queued'::text])))) EXECUTE FUNCTION wm.guard_order_state();
grant insert, select on wm.orders to wm_app;
grant insert, select on wm.orders to wm_system;
grant select on wm.orders to wm_window;
grant update (state, revision, items_total, items_submitted, items_dead, approval_id, apply_attempts, last_apply_error, auto_approval_tried_revision, stale_alerted_at, applied_at, completed_at, last_transitioned_at, updated_at) on wm.orders to wm_app;
grant update (state, revision, items_total, items_submitted, items_dead, approval_id, apply_attempts, last_apply_error, auto_approval_tried_revision, stale_alerted_at, applied_at, completed_at, last_transitioned_at, updated_at) on wm.orders to wm_system;
grant update (state, items_submitted, last_transitioned_at, updated_at) on wm.orders to wm_window;

create table wm.parked_messages (
  tenant_id uuid not null,
  publisher text not null,
  seq bigint not null,
  state text not null,
  event_id uuid not null,
  order_id uuid,
  item_id uuid,
  kind text not null,
  reason text not null,
  tries integer not null,
  first_refused_at timestamp with time zone not null,
  last_refused_at timestamp with time zone not null,
  constraint parked_messages_pkey PRIMARY KEY (tenant_id, publisher, seq),
  constraint parked_messages_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES wm.tenants(id),
  constraint parked_messages_state_check CHECK ((state = ANY (ARRAY['trying'::text, 'parked'::text, 'retry'::text]))),
  constraint parked_messages_tries_check CHECK ((tries >= 1))
);
CREATE INDEX parked_messages_retry_idx ON wm.parked_messages USING btree (tenant_id) WHERE (state = 'retry'::text);
alter table wm.parked_messages enable row level security, force row level security;
create policy app on wm.parked_messages for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.parked_messages for all to wm_system using (true) with check (true);
grant delete, select on wm.parked_messages to wm_app;
grant delete, insert, select, update on wm.parked_messages to wm_system;
grant update (state) on wm.parked_messages to wm_app;

create table wm.parts (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  item_id uuid not null,
  part_key text not null,
  seq integer,
  revision integer not null,
  status text not null,
  payload json not null,
  evidence json,
  notes text,
  errors json,
  checksum text not null,
  submitted_by_agent_id text not null,
  submitted_by_principal text not null,
  generation bigint not null,
  created_at timestamp with time zone not null,
  constraint parts_pkey PRIMARY KEY (tenant_id, id),
  constraint parts_tenant_id_item_id_fkey FOREIGN KEY (tenant_id, item_id) REFERENCES wm.items(tenant_id, id),
  constraint parts_part_key_check CHECK (((length(part_key) >= 1) AND (length(part_key) <= 120))),
  constraint parts_revision_check CHECK ((revision >= 1)),
  constraint parts_seq_check CHECK ((seq >= 0)),
  constraint parts_status_check CHECK ((status = ANY (ARRAY['validated'::text, 'rejected'::text])))
);
CREATE UNIQUE INDEX parts_slot_idx ON wm.parts USING btree (tenant_id, item_id, part_key, COALESCE(seq, '-1'::integer), revision);
alter table wm.parts enable row level security, force row level security;
create policy app on wm.parts for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.parts for all to wm_system using (true) with check (true);
grant insert, select on wm.parts to wm_app;
grant insert, select on wm.parts to wm_system;

create table wm.pauses (
  tenant_id uuid not null,
  scope text not null,
  subject text not null,
  reason text not null,
  principal text not null,
  paused_at timestamp with time zone not null,
  constraint pauses_pkey PRIMARY KEY (tenant_id, scope, subject),
  constraint pauses_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES wm.tenants(id),
  constraint pauses_check CHECK (((length(subject) <= 255) AND ((scope = 'tenant'::text) = (subject = ''::text)))),
  constraint pauses_scope_check CHECK ((scope = ANY (ARRAY['agent'::text, 'type'::text, 'tenant'::text])))
);
alter table wm.pauses enable row level security, force row level security;
create policy app on wm.pauses for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.pauses for all to wm_system using (true) with check (true);
create policy "window" on wm.pauses for all to wm_window using (wm.is_in_window(tenant_id)) with check (wm.is_in_window(tenant_id));
grant delete, insert, select on wm.pauses to wm_app;
grant select on wm.pauses to wm_system;
grant select on wm.pauses to wm_window;
grant update (reason, principal) on wm.pauses to wm_app;

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
  first_seen_at timestamp with time zone default now() not null,
  constraint provenance_pkey PRIMARY KEY (tenant_id, id)
);
alter table wm.provenance enable row level security, force row level security;
create policy app on wm.provenance for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.provenance for all to wm_system using (true) with check (true);
grant insert, select on wm.provenance to wm_app;
grant insert, select on wm.provenance to wm_system;

create table wm.publisher_cursors (
  tenant_id uuid not null,
  publisher text not null,
  seq bigint default 0 not null,
  ahead bigint[] default '{}'::bigint[] not null,
  fence bigint default 0 not null,
  lease_expires_at timestamp with time zone,
  served_at timestamp with time zone,
  failures integer default 0 not null,
  retry_at timestamp with time zone,
  last_error text,
  last_error_at timestamp with time zone,
  last_published_at timestamp with time zone,
  constraint publisher_cursors_pkey PRIMARY KEY (tenant_id, publisher),
  constraint publisher_cursors_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES wm.tenants(id),
  constraint publisher_cursors_publisher_check CHECK (((length(publisher) >= 1) AND (length(publisher) <= 60))),
  constraint publisher_cursors_seq_check CHECK ((seq >= 0))
) with (fillfactor=50);
alter table wm.publisher_cursors enable row level security, force row level security;
create policy app on wm.publisher_cursors for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.publisher_cursors for all to wm_system using (true) with check (true);
grant insert, select on wm.publisher_cursors to wm_app;
grant insert, select, update on wm.publisher_cursors to wm_system;
grant update (seq, ahead, fence, lease_expires_at, failures, retry_at) on wm.publisher_cursors to wm_app;

create table wm.publisher_states (
  publisher text not null,
  connected boolean not null,
  error_code text,
  error text,
  changed_at timestamp with time zone not null,
  constraint publisher_states_pkey PRIMARY KEY (publisher)
);
grant select on wm.publisher_states to wm_app;
grant insert, select, update on wm.publisher_states to wm_system;

create table wm.record_checks (
  tenant_id uuid not null,
  through bigint default 0 not null,
  checked_at timestamp with time zone not null,
  whole_at timestamp with time zone,
  damage text,
  damage_seq bigint,
  damage_detail text,
  damage_since timestamp with time zone,
  constraint record_checks_pkey PRIMARY KEY (tenant_id),
  constraint record_checks_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES wm.tenants(id),
  constraint record_checks_check CHECK (((damage IS NULL) = (damage_since IS NULL)))
);
alter table wm.record_checks enable row level security, force row level security;
create policy app on wm.record_checks for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.record_checks for all to wm_system using (true) with check (true);
grant select on wm.record_checks to wm_app;
grant insert, select on wm.record_checks to wm_system;
grant update (through, checked_at, whole_at, damage, damage_seq, damage_detail, damage_since) on wm.record_checks to wm_system;

create table wm.records (
  tenant_id uuid not null,
  collection text not null,
  key text not null,
  value json not null,
  order_id uuid not null,
  updated_at timestamp with time zone not null,
  constraint records_pkey PRIMARY KEY (tenant_id, collection, key),
  constraint records_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES wm.tenants(id),
  constraint records_collection_check CHECK (((length(collection) >= 1) AND (length(collection) <= 120))),
  constraint records_key_check CHECK (((length(key) >= 1) AND (length(key) <= 500)))
);
alter table wm.records enable row level security, force row level security;
create policy app on wm.records for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.records for all to wm_system using (true) with check (true);
grant delete, insert, select, update on wm.records to wm_app;
grant select on wm.records to wm_system;

create table wm.shown_orders (
  tenant_id uuid not null,
  order_id uuid not null,
  principal text not null,
  digest text not null,
  members json not null,
  shown_at timestamp with time zone not null,
  constraint shown_orders_pkey PRIMARY KEY (tenant_id, order_id, principal),
  constraint shown_orders_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES wm.tenants(id)
);
CREATE INDEX shown_orders_age_idx ON wm.shown_orders USING btree (shown_at);
alter table wm.shown_orders enable row level security, force row level security;
create policy app on wm.shown_orders for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.shown_orders for all to wm_system using (true) with check (true);
grant delete, insert, select on wm.shown_orders to wm_app;
grant delete, select on wm.shown_orders to wm_system;
grant update (digest, members, shown_at) on wm.shown_orders to wm_app;

create table wm.submissions (
  tenant_id uuid not null,
  id uuid not null,
  order_id uuid not null,
  item_id uuid not null,
  number integer not null,
  result json not null,
  evidence json,
  notes text,
  digest text not null,
  assembled_parts integer,
  submitted_by_agent_id text not null,
  submitted_by_principal text not null,
  generation bigint not null,
  decided_at timestamp with time zone not null,
  traceparent text,
  constraint submissions_pkey PRIMARY KEY (tenant_id, item_id, number),
  constraint submissions_number_check CHECK ((number >= 1))
) with (toast_tuple_target=256);
CREATE INDEX submissions_order_idx ON wm.submissions USING btree (tenant_id, order_id);
alter table wm.submissions enable row level security, force row level security;
create policy app on wm.submissions for all to wm_app using ((tenant_id = wm.current_tenant())) with check ((tenant_id = wm.current_tenant()));
create policy system on wm.submissions for all to wm_system using (true) with check (true);
create policy "window" on wm.submissions for all to wm_window using (wm.is_in_window(tenant_id)) with check (wm.is_in_window(tenant_id));
CREATE TRIGGER submissions_append_only BEFORE DELETE OR UPDATE ON wm.submissions FOR EACH ROW EXECUTE FUNCTION wm.refuse_change();
CREATE CONSTRAINT TRIGGER submissions_item AFTER INSERT ON wm.submissions NOT DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW WHEN ((CURRENT_USER <> 'wm_window'::name)) EXECUTE FUNCTION wm.find_submitted_item();
CREATE TRIGGER submissions_no_truncate BEFORE TRUNCATE ON wm.submissions FOR EACH STATEMENT EXECUTE FUNCTION wm.refuse_change();
grant insert, select on wm.submissions to wm_app;
grant insert, select on wm.submissions to wm_system;
grant insert on wm.submissions to wm_window;

create table wm.tenants (
  id uuid not null,
  slug text not null,
  name text not null,
  created_at timestamp with time zone default now() not null,
  suspended_at timestamp with time zone,
  tier text default 'default'::text not null,
  constraint tenants_pkey PRIMARY KEY (id),
  constraint tenants_slug_key UNIQUE (slug),
  constraint tenants_slug_check CHECK ((slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text)),
  constraint tenants_tier_check CHECK ((tier = ANY (ARRAY['enterprise'::text, 'professional'::text, 'default'::text, 'free'::text])))
);
alter table wm.tenants enable row level security, force row level security;
create policy app on wm.tenants for all to wm_app using ((id = wm.current_tenant()));
create policy system on wm.tenants for all to wm_system using (true) with check (true);
create policy "window" on wm.tenants for all to wm_window using (wm.is_in_window(id));
grant select on wm.tenants to wm_app;
grant insert, select on wm.tenants to wm_system;
grant select on wm.tenants to wm_window;
grant update (name, suspended_at, tier) on wm.tenants to wm_system;

CREATE OR REPLACE FUNCTION wm.approve_order(p_tenant uuid, p_order uuid, p_seen bytea, p_id uuid, p_digest text, p_payload text, p_actor_type text, p_actor_id text, p_principal text, p_request text, p_trace text, p_provenance uuid, p_correlation text, p_session text, p_traceparent text, p_operation text, p_key bytea, p_fingerprint bytea, p_ttl integer)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
declare
  v_order wm.orders;
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  if not pg_try_advisory_xact_lock(hashtextextended(p_tenant::text || '|' || p_principal || '|' || p_operation || '|' || encode(p_key, 'hex'), 0)) then
    return false;
  end if;
  if exists (select from wm.idempotency k
              where k.tenant_id = p_tenant and k.principal = p_principal and k.operation = p_operation and k.key_hash = p_key) then
    return false;
  end if;
  select o.* into v_order from wm.orders o where o.tenant_id = p_tenant and o.id = p_order for no key update;
  -- A new statement, now that nobody else can write the order.
  if v_order.state is distinct from 'submitted' or sha256(convert_to(wm.order_content(p_tenant, p_order), 'UTF8')) is distinct from p_seen then
    return false;
  end if;
  v_now := clock_timestamp();
  insert into wm.approvals (tenant_id, id, order_id, revision, decision, digest, actor_type, actor_id, principal, traceparent, decided_at)
    values (p_tenant, p_id, p_order, v_order.revision, 'approved', p_digest, case p_actor_type when 'system' then 'system' else 'user' end,
      p_actor_id, p_principal, p_traceparent, v_now);
  update wm.orders o set state = 'approved', last_transitioned_at = v_now, updated_at = v_now, approval_id = p_id, last_apply_error = null
   where o.tenant_id = p_tenant and o.id = p_order and o.state = 'submitted';
  insert into wm.intake (tenant_id, decided_at, kinds, ids, subject_ids, root_ids, labels, actor_types, actor_ids, principals, request_ids,
      trace_ids, provenance_ids, correlation_ids, session_keys, payloads, seconds)
    values (p_tenant, v_now, array['order.approved'], array[p_id], array[p_order], array[p_order], array[v_order.type], array[p_actor_type],
      array[p_actor_id], array[p_principal], array[p_request], array[p_trace], array[p_provenance],
      array[coalesce(v_order.correlation_id, p_correlation)], array[coalesce(v_order.session_key, p_session)], array[p_payload],
      array[extract(epoch from date_trunc('milliseconds', v_now) - date_trunc('milliseconds', v_order.created_at))::numeric(14,3)]);
  insert into wm.idempotency (tenant_id, principal, operation, key_hash, fingerprint, created_at, expires_at)
    values (p_tenant, p_principal, p_operation, p_key, p_fingerprint, v_now, v_now + make_interval(secs => p_ttl));
  return true;
end $function$;

CREATE OR REPLACE FUNCTION wm.assert_order_fits(p_tenant uuid, p_order uuid)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  c_most constant bigint := 64 * 1024 * 1024;
  v_bytes bigint;
begin
  select sum(octet_length(i.input::text)::bigint + coalesce(octet_length(s.result::text), 0) + coalesce(octet_length(s.evidence::text), 0))
    into v_bytes
    from wm.items i left join wm.submissions s on s.tenant_id = i.tenant_id and s.item_id = i.id and s.number = i.submission_number
   where i.tenant_id = p_tenant and i.order_id = p_order;
  if v_bytes > c_most then
    raise exception 'the documents of the order have % bytes; at most % are decided about and applied together', v_bytes, c_most
      using errcode = 'program_limit_exceeded', constraint = 'order_too_large';
  end if;
end $function$;

CREATE OR REPLACE FUNCTION wm.begin_apply(p_tenant uuid, p_order uuid, p_ms integer)
 RETURNS TABLE(content text, digest text, traceparent text, now timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
declare
  v_type text; v_state text; v_approval uuid;
begin
  select o.type, o.state, o.approval_id into v_type, v_state, v_approval
    from wm.orders o where o.tenant_id = p_tenant and o.id = p_order for no key update skip locked;
  if v_state is distinct from 'approved' or wm.pause_in_force(p_tenant, null, null, v_type) is not null then
    return;
  end if;
  perform set_config('idle_in_transaction_session_timeout', p_ms::text, true), set_config('statement_timeout', p_ms::text, true);
  perform wm.assert_order_fits(p_tenant, p_order);
  return query
    select wm.order_content(p_tenant, p_order), a.digest, a.traceparent, clock_timestamp()
      from (select) as one left join wm.approvals a on a.tenant_id = p_tenant and a.id = v_approval;
end $function$;

CREATE OR REPLACE FUNCTION wm.candidates_of_order(p_tenant uuid, p_order uuid, p_most integer)
 RETURNS TABLE(id uuid, order_id uuid)
 LANGUAGE sql
 STABLE
AS $function$
  select i.id, i.order_id from wm.items i
   where i.tenant_id = p_tenant and i.order_id = p_order and i.state = 'queued'
   order by i.ordinal limit p_most
$function$;

CREATE OR REPLACE FUNCTION wm.candidates_of_order(p_tenant uuid, p_order uuid, p_most integer, p_who text[])
 RETURNS TABLE(id uuid, order_id uuid)
 LANGUAGE sql
 STABLE
AS $function$
  select i.id, i.order_id from wm.items i
   where i.tenant_id = p_tenant and i.order_id = p_order and i.state = 'queued'
     and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, p_who, extract(epoch from statement_timestamp())))
   order by i.ordinal limit p_most
$function$;

CREATE OR REPLACE FUNCTION wm.candidates_of_queue(p_tenant uuid, p_min integer, p_most integer)
 RETURNS TABLE(id uuid, order_id uuid, due_at timestamp with time zone, priority integer)
 LANGUAGE sql
 STABLE
AS $function$
  select i.id, i.order_id, i.due_at, i.priority from wm.items i
   where i.tenant_id = p_tenant and i.ready and i.priority >= p_min
   order by i.due_at, i.priority, i.id limit p_most
$function$;

CREATE OR REPLACE FUNCTION wm.candidates_of_queue(p_tenant uuid, p_min integer, p_most integer, p_who text[])
 RETURNS TABLE(id uuid, order_id uuid, due_at timestamp with time zone, priority integer)
 LANGUAGE sql
 STABLE
AS $function$
  select i.id, i.order_id, i.due_at, i.priority from wm.items i
   where i.tenant_id = p_tenant and i.ready and i.priority >= p_min
     and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, p_who, extract(epoch from statement_timestamp())))
   order by i.due_at, i.priority, i.id limit p_most
$function$;

CREATE OR REPLACE FUNCTION wm.candidates_of_types(p_tenant uuid, p_types text[], p_rooms integer[], p_min integer, p_most integer)
 RETURNS TABLE(id uuid, order_id uuid, due_at timestamp with time zone, priority integer)
 LANGUAGE sql
 STABLE
AS $function$
  select w.id, w.order_id, w.due_at, w.priority
    from unnest(p_types, p_rooms) as t(type, room) cross join lateral (
      select i.id, i.order_id, i.due_at, i.priority from wm.items i
       where i.tenant_id = p_tenant and i.order_type = t.type and i.ready and i.priority >= p_min
       order by i.due_at, i.priority, i.id limit least(t.room, p_most)) w
   order by w.due_at, w.priority, w.id limit p_most
$function$;

CREATE OR REPLACE FUNCTION wm.candidates_of_types(p_tenant uuid, p_types text[], p_rooms integer[], p_min integer, p_most integer, p_who text[])
 RETURNS TABLE(id uuid, order_id uuid, due_at timestamp with time zone, priority integer)
 LANGUAGE sql
 STABLE
AS $function$
  select w.id, w.order_id, w.due_at, w.priority
    from unnest(p_types, p_rooms) as t(type, room) cross join lateral (
      select i.id, i.order_id, i.due_at, i.priority from wm.items i
       where i.tenant_id = p_tenant and i.order_type = t.type and i.ready and i.priority >= p_min
         and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, p_who, extract(epoch from statement_timestamp())))
       order by i.due_at, i.priority, i.id limit least(t.room, p_most)) w
   order by w.due_at, w.priority, w.id limit p_most
$function$;

CREATE OR REPLACE FUNCTION wm.candidates_past(p_tenant uuid, p_types text[], p_rooms integer[], p_min integer, p_busy uuid[], p_most integer, p_who text[])
 RETURNS TABLE(id uuid, order_id uuid, due_at timestamp with time zone, priority integer)
 LANGUAGE sql
 STABLE
AS $function$
  select w.id, w.order_id, w.due_at, w.priority
    from unnest(p_types, p_rooms) as t(type, room) cross join lateral (
      select f.* from (
        select i.id, i.order_id, i.due_at, i.priority from wm.items i
         where i.tenant_id = p_tenant and i.order_type = t.type and i.ready and i.priority >= p_min
           and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, p_who, extract(epoch from statement_timestamp())))
         order by i.due_at, i.priority, i.id limit 1000) f
       where f.order_id <> all (p_busy) limit least(t.room, p_most)) w
   order by w.due_at, w.priority, w.id limit p_most
$function$;

CREATE OR REPLACE FUNCTION wm.candidates_within(p_tenant uuid, p_types text[], p_rooms integer[], p_min integer, p_far integer, p_most integer, p_who text[])
 RETURNS TABLE(id uuid, order_id uuid)
 LANGUAGE sql
 STABLE
AS $function$
  select w.id, w.order_id
    from (select f.*, row_number() over (partition by f.order_type order by f.due_at, f.priority, f.id) as place
            from (select i.id, i.order_id, i.order_type, i.due_at, i.priority, i.dropped_by from wm.items i
                   where i.tenant_id = p_tenant and i.ready and i.priority >= p_min
                   order by i.due_at, i.priority, i.id limit p_far) f
           where f.order_type = any (p_types)
             and (f.dropped_by is null or not wm.is_kept_from_all(f.dropped_by, p_who, extract(epoch from statement_timestamp())))) w
   where w.place <= p_rooms[array_position(p_types, w.order_type)]
   order by w.due_at, w.priority, w.id limit p_most
$function$;

CREATE OR REPLACE FUNCTION wm.current_tenant()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select nullif(current_setting('wm.tenant_id', true), '')::uuid $function$;

CREATE OR REPLACE FUNCTION wm.ensure_event_partitions(months_ahead integer DEFAULT 2)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
end $function$;
grant execute on function wm.ensure_event_partitions(integer) to wm_system;
revoke all on function wm.ensure_event_partitions(integer) from public;

CREATE OR REPLACE FUNCTION wm.event_json(e wm.events)
 RETURNS json
 LANGUAGE sql
 STABLE
AS $function$
  select json_build_object(
    'id', e.id, 'seq', e.seq, 'order_id', case when e.subject_type in ('order', 'item', 'part', 'effect') then e.root_id end,
    'item_id', case when e.subject_type = 'item' then e.subject_id end,
    'subject_type', e.subject_type, 'subject_id', e.subject_id, 'root_id', e.root_id, 'label', e.label,
    'event', split_part(e.kind, '.', 2), 'kind', e.kind, 'priority', e.priority, 'actor_type', e.actor_type, 'actor_id', e.actor_id,
    'principal', e.principal, 'request_id', e.request_id, 'trace_id', e.trace_id, 'provenance_id', e.provenance_id,
    'correlation_id', e.correlation_id, 'causation_id', e.causation_id, 'session_key', e.session_key,
    'payload', e.payload, 'diff', e.diff, 'message', e.message, 'created_at', wm.wire_time(e.decided_at))
$function$;

CREATE OR REPLACE FUNCTION wm.event_priority(kind text)
 RETURNS smallint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  select (case
    when kind in ('order.approved', 'order.rejected', 'order.apply_failed', 'order.applied', 'order.cancelled', 'effect.unknown', 'pause.set', 'pause.lifted', 'key.created', 'key.rotated', 'key.revoked', 'key.invited', 'key.claimed', 'tenant.tier_set', 'publisher.cursor_moved', 'publisher.messages_retried', 'publisher.message_discarded', 'record.damaged') then 0
    when kind in ('order.proposed', 'order.submitted', 'order.auto_approval_failed', 'order.completed', 'order.failed', 'order.dead_lettered', 'effect.delivered', 'effect.failed', 'item.submitted', 'item.failed', 'item.dead_lettered') then 1
    when kind in ('order.in_progress', 'item.in_progress', 'item.heartbeat') then 3
    else 2 end)::smallint
$function$;

CREATE OR REPLACE FUNCTION wm.find_submitted_item()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform from wm.items i where i.tenant_id = new.tenant_id and i.id = new.item_id for key share;
  if not found then
    raise exception 'There is no item % to hand in for.', new.item_id using errcode = 'foreign_key_violation', constraint = 'submissions_item';
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION wm.finish_apply(p_tenant uuid, p_order uuid, p_diff text, p_effects json, p_by text, p_trace text, p_principal text, p_operation text, p_key bytea, p_ttl integer, p_documents text DEFAULT NULL::text)
 RETURNS TABLE(verdict text, status integer, body text)
 LANGUAGE plpgsql
AS $function$
declare
  v_order wm.orders;
  v_type text;
  v_items uuid[];
  v_moved integer;
  v_now timestamptz;
  v_status integer := 200; v_body text;
begin
  select o.type into v_type from wm.orders o where o.tenant_id = p_tenant and o.id = p_order;
  -- A pause that came while the type's code ran: nothing is committed past it.
  if wm.share_pause(p_tenant, null, null, v_type) is not null then
    return query select 'paused', null::integer, null::text;
    return;
  end if;
  select array_agg(l.id order by l.id) filter (where l.state = 'submitted') into v_items
    from (select i.id, i.state from wm.items i where i.tenant_id = p_tenant and i.order_id = p_order order by i.id for no key update) l;
  v_now := clock_timestamp();
  if p_effects is not null then
    insert into wm.effects (tenant_id, id, order_id, name, key, input, state, deduplicates, traceparent, available_at, created_at, updated_at)
      select p_tenant, f.id, p_order, f.name, f.key, coalesce(f.input, 'null'), 'pending', f.deduplicates, f.traceparent, v_now, v_now, v_now
        from json_to_recordset(p_effects) as f(id uuid, name text, key text, input json, deduplicates boolean, traceparent text);
  end if;
  if v_items is not null then
    update wm.items i set state = 'accepted', accepted_at = v_now, updated_at = v_now
     where i.tenant_id = p_tenant and i.id = any (v_items) and i.state = 'submitted';
    update wm.items i set state = 'completed'
     where i.tenant_id = p_tenant and i.id = any (v_items) and i.state = 'accepted';
    get diagnostics v_moved = row_count;
    if v_moved <> cardinality(v_items) then
      raise exception 'the items of the order are not what they were';
    end if;
  end if;
  update wm.orders o set state = 'applied', applied_at = v_now
   where o.tenant_id = p_tenant and o.id = p_order and o.state = 'approved';
  update wm.orders o set state = 'completed', completed_at = v_now, last_transitioned_at = v_now, updated_at = v_now
   where o.tenant_id = p_tenant and o.id = p_order and o.state = 'applied' and o.applied_at = v_now
  returning o.* into v_order;
  if not found then
    raise exception 'the order is not approved any more';
  end if;
  -- Everything here happens because it was approved: the decision's event bears the decision's id.
  insert into wm.intake (tenant_id, decided_at, kinds, subject_ids, root_ids, labels, actor_types, principals, trace_ids, correlation_ids,
      causation_ids, session_keys, payloads, diffs, messages)
    select p_tenant, v_now, array_agg(f.kind order by f.r), array_agg(f.subject order by f.r), array_agg(p_order), array_agg(v_order.type),
           array_agg('system'::text), array_agg(p_by), array_agg(p_trace), array_agg(v_order.correlation_id), array_agg(v_order.approval_id),
           array_agg(v_order.session_key), case when min(f.r) = 0 then array[p_documents] end, case when min(f.r) = 0 then array[p_diff] end, array_agg(f.message order by f.r)
      from (select e.*, row_number() over (order by e.place, e.n) - 1 as r
              from (
        select 1 as place, 0::bigint as n, 'order.applied' as kind, p_order as subject, 'Changes applied successfully' as message
        union all
        select 2, u.n * 2, 'item.accepted', u.id, 'Work order applied' from unnest(v_items) with ordinality as u(id, n)
        union all
        select 2, u.n * 2 + 1, 'item.completed', u.id, 'Work item completed' from unnest(v_items) with ordinality as u(id, n)
        union all
        select 3, 0, 'order.completed', p_order, 'All items completed'
      ) e) f
     -- So many events go into one row: numbering takes whole rows, and a pass should be short.
     group by f.r / 500 order by f.r / 500;
  v_body := '{"order":' || wm.order_json(v_order)::text || ',"diff":' || p_diff || '}';
  if p_key is not null then
    update wm.idempotency k set status = 200, body = v_body, expires_at = v_now + make_interval(secs => p_ttl)
     where k.tenant_id = p_tenant and k.principal = p_principal and k.operation = p_operation and k.key_hash = p_key and k.status is null;
    -- Somebody who waited for the same decision was answered first, perhaps with less: one key has one answer.
    if not found then
      select coalesce(k.status, 200), coalesce(k.body, v_body) into v_status, v_body from wm.idempotency k
       where k.tenant_id = p_tenant and k.principal = p_principal and k.operation = p_operation and k.key_hash = p_key;
    end if;
  end if;
  return query select 'done', v_status, v_body;
end $function$;

CREATE OR REPLACE FUNCTION wm.for_whom(p_tenant uuid, p_items uuid[], p_who text[], p_at timestamp with time zone)
 RETURNS uuid[]
 LANGUAGE plpgsql
 STABLE
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION wm.guard_item_state()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'INSERT' then
    raise exception 'a new item starts as queued, not %', new.state using errcode = 'check_violation', constraint = 'item_state_machine';
  end if;
  raise exception 'Illegal state transition for item: cannot transition from ''%'' to ''%''', old.state, new.state
    using errcode = 'check_violation', constraint = 'item_state_machine';
end $function$;

CREATE OR REPLACE FUNCTION wm.guard_order_state()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'INSERT' then
    raise exception 'a new order starts as queued, not %', new.state using errcode = 'check_violation', constraint = 'order_state_machine';
  end if;
  raise exception 'Illegal state transition for order: cannot transition from ''%'' to ''%''', old.state, new.state
    using errcode = 'check_violation', constraint = 'order_state_machine';
end $function$;

CREATE OR REPLACE FUNCTION wm.heartbeat_items(p_tenant uuid, p_slots json)
 RETURNS TABLE(slot integer, held boolean, lease_expires_at timestamp with time zone, state text, token text, agent text, who text, requires_token boolean, expired_at timestamp with time zone, decided_at timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION wm.hinted_candidates(p_tenant uuid, p_hints uuid[], p_order uuid, p_types text[], p_min integer, p_most integer)
 RETURNS TABLE(id uuid, order_id uuid)
 LANGUAGE sql
 STABLE
AS $function$
  select h.id, h.order_id
    from (select i.id, i.order_id from wm.items i
           where i.tenant_id = p_tenant and i.id = any (p_hints) and i.state = 'queued' and i.priority >= p_min
             and (p_order is null or i.order_id = p_order) and (p_types is null or i.order_type = any (p_types))
           order by i.id) h
   order by array_position(p_hints, h.id) limit p_most
$function$;

CREATE OR REPLACE FUNCTION wm.hinted_candidates(p_tenant uuid, p_hints uuid[], p_order uuid, p_types text[], p_min integer, p_most integer, p_who text[])
 RETURNS TABLE(id uuid, order_id uuid)
 LANGUAGE sql
 STABLE
AS $function$
  select h.id, h.order_id
    from (select i.id, i.order_id from wm.items i
           where i.tenant_id = p_tenant and i.id = any (p_hints) and i.state = 'queued' and i.priority >= p_min
             and (p_order is null or i.order_id = p_order) and (p_types is null or i.order_type = any (p_types))
             and (i.dropped_by is null or not wm.is_kept_from_all(i.dropped_by, p_who, extract(epoch from statement_timestamp())))
           order by i.id) h
   order by array_position(p_hints, h.id) limit p_most
$function$;

CREATE OR REPLACE FUNCTION wm.holds_lease(i wm.items, token text, agent text, who text, at timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select wm.item_is_held(i.state) and at <= i.lease_expires_at
    and i.leased_by_principal = who and i.leased_by_agent_id = agent
    and (i.lease_token = token or (token is null and not i.require_token))
$function$;

CREATE OR REPLACE FUNCTION wm.is_in_window(tenant uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select strpos(current_setting('wm.window', true), ',' || tenant::text || ',') > 0 $function$;

CREATE OR REPLACE FUNCTION wm.is_kept_from_all(p_dropped_by jsonb, p_who text[], p_at double precision)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select not exists (select from unnest(p_who) as w where coalesce((p_dropped_by -> w ->> 'until')::double precision, 0) <= p_at)
$function$;

CREATE OR REPLACE FUNCTION wm.item_is_closed(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('submitted', 'accepted', 'completed', 'dead_lettered', 'cancelled') $function$;

CREATE OR REPLACE FUNCTION wm.item_is_decidable(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('submitted', 'dead_lettered') $function$;

CREATE OR REPLACE FUNCTION wm.item_is_handed_in(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('submitted', 'accepted', 'completed') $function$;

CREATE OR REPLACE FUNCTION wm.item_is_held(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('leased', 'in_progress') $function$;

CREATE OR REPLACE FUNCTION wm.item_is_open(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('queued', 'leased', 'in_progress') $function$;

CREATE OR REPLACE FUNCTION wm.item_is_revivable(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('rejected', 'failed', 'dead_lettered') $function$;

CREATE OR REPLACE FUNCTION wm.item_json(i wm.items, s wm.submissions)
 RETURNS json
 LANGUAGE sql
 STABLE
AS $function$
  select json_build_object(
    'id', i.id, 'order_id', i.order_id, 'ordinal', i.ordinal, 'type', i.type, 'state', i.state,
    'attempts', i.attempts, 'max_attempts', i.max_attempts,
    'leased_by_agent_id', i.leased_by_agent_id, 'lease_expires_at', wm.wire_time(i.lease_expires_at),
    'last_heartbeat_at', wm.wire_time(i.last_heartbeat_at),
    'input', i.input, 'result', s.result,
    'assembled_result', case when s.assembled_parts is not null then s.result end,
    'evidence', s.evidence, 'parts_required', to_json(i.parts_required), 'parts_state', i.parts_state,
    'error', i.error, 'rework', i.rework, 'submission_number', i.submission_number,
    'available_at', wm.wire_time(i.available_at), 'accepted_at', wm.wire_time(i.accepted_at),
    'created_at', wm.wire_time(i.created_at), 'updated_at', wm.wire_time(i.updated_at))
$function$;

CREATE OR REPLACE FUNCTION wm.item_text(i wm.items, p_result text, p_evidence text)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION wm.keep_item_marks()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.ready := new.state = 'queued';
  new.leased := wm.item_is_held(new.state);
  new.failed := new.state = 'failed';
  return new;
end $function$;

CREATE OR REPLACE FUNCTION wm.keep_submitted_item()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (select from wm.submissions s where s.tenant_id = old.tenant_id and s.item_id = old.id) then
    raise exception 'The item % has submissions: it can neither go nor change its id.', old.id
      using errcode = 'foreign_key_violation', constraint = 'submissions_item';
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION wm.kept_answers(p_tenant uuid, p_principals text[], p_operations text[], p_keys bytea[])
 RETURNS TABLE(n integer, fingerprint bytea, status integer, body text, expires_at timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  return query
    select u.place::integer, k.fingerprint, k.status, k.body, k.expires_at
      from unnest(p_principals, p_operations, p_keys) with ordinality as u(who, operation, key, place) cross join lateral (
        select i.fingerprint, i.status, i.body, i.expires_at from wm.idempotency i
         where i.tenant_id = p_tenant and i.principal = u.who and i.operation = u.operation and i.key_hash = u.key limit 1) k;
end $function$;

CREATE OR REPLACE FUNCTION wm.key_end(p_tenant uuid, p_key uuid)
 RETURNS text
 LANGUAGE sql
AS $function$
  select case when k.id is null or k.revoked_at <= clock_timestamp() then 'revoked' when k.expires_at <= clock_timestamp() then 'expired'
              when t.suspended_at is not null then 'suspended' end
    from wm.tenants t left join wm.api_keys k on k.tenant_id = t.id and k.id = p_key where t.id = p_tenant
$function$;

CREATE OR REPLACE FUNCTION wm.lease_items(p_tenant uuid, p_filter json, p_slots json)
 RETURNS TABLE(slot integer, verdict text, item_id uuid, order_id uuid, body text)
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION wm.leased_item_json(i wm.items, heartbeat_every integer)
 RETURNS json
 LANGUAGE sql
 STABLE
AS $function$
  select json_build_object(
    'id', i.id, 'order_id', i.order_id, 'type', i.type, 'state', i.state, 'input', i.input,
    'lease_token', i.lease_token, 'lease_expires_at', wm.wire_time(i.lease_expires_at),
    'heartbeat_every_seconds', least(heartbeat_every, greatest(1, i.lease_ttl_seconds / 3)),
    'attempt', i.attempts, 'max_attempts', i.max_attempts,
    'parts_required', to_json(i.parts_required), 'parts_state', i.parts_state,
    'rework', i.rework, 'last_error', i.error, 'traceparent', i.traceparent)
$function$;

CREATE OR REPLACE FUNCTION wm.leased_item_text(i wm.items, p_heartbeat_every integer)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select '{"id":"' || i.id || '","order_id":"' || i.order_id || '","type":' || to_json(i.type) || ',"state":"' || i.state || '","input":' || i.input::text
    || ',"lease_token":"' || i.lease_token || '","lease_expires_at":"' || wm.wire_time(i.lease_expires_at)
    || '","heartbeat_every_seconds":' || least(p_heartbeat_every, greatest(1, i.lease_ttl_seconds / 3))
    || ',"attempt":' || i.attempts || ',"max_attempts":' || i.max_attempts
    || ',"parts_required":' || coalesce(to_json(i.parts_required)::text, 'null') || ',"parts_state":' || coalesce(i.parts_state::text, 'null')
    || ',"rework":' || coalesce(i.rework::text, 'null') || ',"last_error":' || coalesce(i.error::text, 'null')
    || ',"traceparent":' || coalesce(to_json(i.traceparent)::text, 'null') || '}'
$function$;

CREATE OR REPLACE FUNCTION wm.lock_ledger_head(p_tenant uuid, p_wait boolean)
 RETURNS TABLE(seq bigint, hash bytea)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
begin
  if not exists (select from wm.ledger_heads h where h.tenant_id = p_tenant) then
    if p_wait then
      perform pg_advisory_xact_lock(hashtextextended('wm.ledger_heads|' || p_tenant::text, 0));
    elsif not pg_try_advisory_xact_lock(hashtextextended('wm.ledger_heads|' || p_tenant::text, 0)) then
      return;
    end if;
    insert into wm.ledger_heads (tenant_id, seq, hash) values (p_tenant, 0, decode(repeat('00', 32), 'hex')) on conflict do nothing;
  end if;
  if p_wait then
    return query select h.seq, h.hash from wm.ledger_heads h where h.tenant_id = p_tenant for update;
  else
    return query select h.seq, h.hash from wm.ledger_heads h where h.tenant_id = p_tenant for update skip locked;
  end if;
end $function$;

CREATE OR REPLACE FUNCTION wm.netstring(t text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select octet_length(coalesce(t, ''))::text || ':' || coalesce(t, '') || ',' $function$;

CREATE OR REPLACE FUNCTION wm.number_pass(p_limit integer, p_after uuid, p_without uuid[], OUT done integer, OUT more boolean, OUT counts json, OUT failed json, OUT last uuid)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  -- More subtransactions than 64 make every snapshot of the server dearer.
  most constant integer := 50;
  v_tenants uuid[];
  v_one record;
  v_counts json[];
  v_failed json[];
  t uuid;
begin
  done := 0;
  more := false;
  select array_agg(n.id) into v_tenants from wm.tenants_with_news(p_after, p_without, most) as n(id);
  if cardinality(v_tenants) = most then
    last := v_tenants[most];
    more := true;
  end if;
  if v_tenants is null then
    return;
  end if;
  begin
    select * into v_one from wm.number_tenants(v_tenants, p_limit, false);
    done := v_one.done;
    more := more or v_one.more;
    counts := v_one.counts;
  exception when others then
    foreach t in array v_tenants loop
      begin
        select * into v_one from wm.number_tenants(array[t], greatest(p_limit / cardinality(v_tenants), 20), false);
        done := done + v_one.done;
        more := more or v_one.more;
        v_counts := v_counts || v_one.counts;
      exception when others then
        v_failed := v_failed || json_build_object('tenant_id', t, 'code', sqlstate, 'message', sqlerrm);
      end;
    end loop;
    select json_agg(c) into counts from unnest(v_counts) as part cross join lateral json_array_elements(part) as c;
    failed := to_json(v_failed);
  end;
end $function$;

CREATE OR REPLACE FUNCTION wm.number_tenants(p_tenants uuid[], p_limit integer, p_wait boolean, OUT done integer, OUT more boolean, OUT reached bigint, OUT counts json)
 RETURNS record
 LANGUAGE plpgsql
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_tenants uuid[]; v_seqs bigint[]; v_hashes bytea[];
  -- So much text of payloads and diffs goes into one pass, at least one row of each tenant: 500 payloads of 1 MB did not get through within
  -- the time limit of a statement, and would not the next time.
  v_bytes constant integer := 16 * 1024 * 1024;
  v_share integer; v_share_bytes integer;
  -- The rows taken.
  v_of uuid[]; v_rows bigint[]; v_before integer[];
  -- Their events: what a hash is made of besides its place, and what is counted.
  e_tenant uuid[]; e_id uuid[]; e_content text[]; e_kind text[]; e_label text[]; e_reason text[]; e_seconds numeric[];
  e_seq bigint[]; e_hash bytea[];
  v_place integer := 0; v_seq bigint; v_hash bytea; v_prefix text; v_tenant uuid;
begin
  done := 0;
  more := false;
  select array_agg(t.id), array_agg(h.seq), array_agg(h.hash) into v_tenants, v_seqs, v_hashes
    from unnest(p_tenants) as t(id) cross join lateral wm.lock_ledger_head(t.id, p_wait) h;
  if v_tenants is null then
    return;
  end if;
  v_share := greatest(p_limit / cardinality(v_tenants), 20);
  v_share_bytes := v_bytes / cardinality(v_tenants);
  -- A new statement: it sees what whoever held the heads before has left.
  -- v_before: how many events of this pass come before those of the row.
  select array_agg(w.tenant_id), array_agg(w.id), array_agg(w.all_before),
         coalesce(bool_or(w.before + w.size >= v_share or w.bytes_through >= v_share_bytes), false), max(w.id)
    into v_of, v_rows, v_before, more, reached
    from (select t.id as tenant_id, k.id, k.size, k.before, k.bytes_through, (sum(k.size) over (order by t.place, k.id) - k.size)::integer as all_before
            from unnest(v_tenants) with ordinality as t(id, place) cross join lateral (
              select f.id, f.size, f.bytes, sum(f.size) over (order by f.id) - f.size as before, sum(f.bytes) over (order by f.id) as bytes_through
                -- pg_column_size asks a value that is stored outside its row for its length only.
                from (select i.id, i.size, coalesce(pg_column_size(i.payloads), 0) + coalesce(pg_column_size(i.diffs), 0) as bytes
                        from wm.intake i where i.tenant_id = t.id order by i.id limit v_share) f) k
           where k.before < v_share and k.bytes_through - k.bytes < v_share_bytes
           -- The arrays follow this order, and so do the numbers: a tenant's rows as they were taken in.
           order by t.place, k.id) w;
  if v_rows is null then
    return;
  end if;

  -- Ids and times have a known length: their netstrings are spelled out, and so is the digest of nothing.
  select array_agg(s.tenant_id), array_agg(s.id), array_agg(s.kind), array_agg(s.label), array_agg(s.reason), array_agg(s.seconds),
         array_agg('36:' || s.id::text || ',' || wm.netstring(s.kind) || s.at || wm.netstring(split_part(s.kind, '.', 1))
           || coalesce('36:' || s.subject_id::text || ',', '0:,') || coalesce('36:' || s.root_id::text || ',', '0:,') || wm.netstring(s.label)
           || wm.netstring(s.actor_type) || wm.netstring(s.actor_id) || wm.netstring(s.principal) || wm.netstring(s.request_id)
           || wm.netstring(s.trace_id) || coalesce('36:' || s.provenance_id::text || ',', '0:,') || wm.netstring(s.correlation_id)
           || coalesce('36:' || s.causation_id::text || ',', '0:,') || wm.netstring(s.session_key)
           || '1:' || wm.event_priority(s.kind)::text || ',' || wm.netstring(s.reason) || wm.netstring(s.seconds::text)
           || '64:' || case when s.payload is null then 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
                            else encode(sha256(convert_to(s.payload, 'UTF8')), 'hex') end
           || ',64:' || case when s.diff is null then 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
                             else encode(sha256(convert_to(s.diff, 'UTF8')), 'hex') end
           || ',' || wm.netstring(s.message))
    into e_tenant, e_id, e_kind, e_label, e_reason, e_seconds, e_content
    from (
      select b.tenant_id, coalesce(x.id, gen_random_uuid()) as id, b.at, x.kind, x.subject_id, x.root_id, x.label, x.actor_type, x.actor_id,
             x.principal, x.request_id, x.trace_id, x.provenance_id, x.correlation_id, x.causation_id, x.session_key, x.payload, x.diff,
             x.message, x.reason, x.seconds
        from (select k.n, i.*, wm.netstring(wm.wire_time(i.decided_at)) as at
                from unnest(v_of, v_rows) with ordinality as k(tenant_id, id, n)
                join wm.intake i on i.tenant_id = k.tenant_id and i.id = k.id) b
       cross join lateral unnest(b.ids, b.kinds, b.subject_ids, b.root_ids, b.labels, b.actor_types, b.actor_ids, b.principals, b.request_ids,
               b.trace_ids, b.provenance_ids, b.correlation_ids, b.causation_ids, b.session_keys, b.payloads, b.diffs, b.messages, b.reasons,
               b.seconds) with ordinality
             as x(id, kind, subject_id, root_id, label, actor_type, actor_id, principal, request_id, trace_id, provenance_id,
               correlation_id, causation_id, session_key, payload, diff, message, reason, seconds, n)
       order by b.n, x.n) s;

  -- The chain: one hash after the other.
  for n in 1 .. cardinality(e_id) loop
    if v_tenant is distinct from e_tenant[n] then
      if v_place > 0 then
        v_seqs[v_place] := v_seq;
        v_hashes[v_place] := v_hash;
      end if;
      v_tenant := e_tenant[n];
      v_place := array_position(v_tenants, v_tenant);
      v_seq := v_seqs[v_place];
      v_hash := v_hashes[v_place];
      v_prefix := ',' || wm.netstring(v_tenant::text);
    end if;
    v_seq := v_seq + 1;
    v_hash := sha256(convert_to('wm264:' || encode(v_hash, 'hex') || v_prefix || length(v_seq::text)::text || ':' || v_seq::text || ',' || e_content[n], 'UTF8'));
    e_seq[n] := v_seq;
    e_hash[n] := v_hash;
  end loop;
  v_seqs[v_place] := v_seq;
  v_hashes[v_place] := v_hash;

  -- The same rows in the same order once more: event k of all of them has the k-th id, number and hash.
  insert into wm.events (tenant_id, seq, id, subject_type, subject_id, root_id, label, kind, actor_type, actor_id, principal, request_id, trace_id,
      provenance_id, correlation_id, causation_id, session_key, priority, payload, diff, message, reason, seconds, decided_at, sequenced_at,
      hash_version, hash)
    select b.tenant_id, e_seq[b.before + x.n], e_id[b.before + x.n], split_part(x.kind, '.', 1), x.subject_id, x.root_id, x.label, x.kind,
           x.actor_type, x.actor_id, x.principal, x.request_id, x.trace_id, x.provenance_id, x.correlation_id, x.causation_id, x.session_key,
           wm.event_priority(x.kind), x.payload::json, x.diff::json, x.message, x.reason, x.seconds, b.decided_at, clock_timestamp(), 2,
           e_hash[b.before + x.n]
      from (select i.*, k.before
              from unnest(v_of, v_rows, v_before) as k(tenant_id, id, before)
              join wm.intake i on i.tenant_id = k.tenant_id and i.id = k.id) b
     cross join lateral unnest(b.kinds, b.subject_ids, b.root_ids, b.labels, b.actor_types, b.actor_ids, b.principals, b.request_ids,
             b.trace_ids, b.provenance_ids, b.correlation_ids, b.causation_ids, b.session_keys, b.payloads, b.diffs, b.messages, b.reasons,
             b.seconds) with ordinality
           as x(kind, subject_id, root_id, label, actor_type, actor_id, principal, request_id, trace_id, provenance_id,
             correlation_id, causation_id, session_key, payload, diff, message, reason, seconds, n);
  delete from wm.intake i using unnest(v_of, v_rows) as k(tenant_id, id) where i.tenant_id = k.tenant_id and i.id = k.id;
  update wm.ledger_heads h set seq = u.seq, hash = u.hash
    from unnest(v_tenants, v_seqs, v_hashes) as u(tenant_id, seq, hash) where h.tenant_id = u.tenant_id and h.seq <> u.seq;
  select json_agg(c) into counts from (
    select f.kind, f.label, f.reason, count(*)::integer as n, array_agg(f.seconds) filter (where f.seconds is not null) as seconds
      from unnest(e_kind, e_label, e_reason, e_seconds) as f (kind, label, reason, seconds)
     group by f.kind, f.label, f.reason) c;
  done := cardinality(e_id);
end $function$;

CREATE OR REPLACE FUNCTION wm.one_hand(p_tenant uuid, p_principal text, p_key uuid, p_involved text[])
 RETURNS TABLE(makers text[], made text[])
 LANGUAGE sql
 STABLE
AS $function$
  select array(select m from wm.api_keys k, unnest(k.makers) m where k.tenant_id = p_tenant and k.id = p_key and m = any (p_involved)),
         array(select distinct 'person:' || k.principal_id from wm.api_keys k
                where k.tenant_id = p_tenant and k.makers <> '{}' and k.makers @> array[p_principal] and k.principal_kind = 'person'
                  and 'person:' || k.principal_id = any (p_involved))
$function$;

CREATE OR REPLACE FUNCTION wm.order_content(p_tenant uuid, p_order uuid)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select json_build_object(
    'order', json_build_object('id', o.id, 'type', o.type, 'type_version', o.type_version, 'state', o.state, 'priority', o.priority,
      'revision', o.revision, 'requested_by_principal', o.requested_by_principal, 'payload', o.payload, 'meta', o.meta,
      'on_item_failure', o.on_item_failure, 'items_total', o.items_total, 'items_submitted', o.items_submitted, 'items_dead', o.items_dead,
      'approval_id', o.approval_id, 'apply_attempts', o.apply_attempts, 'traceparent', o.traceparent, 'correlation_id', o.correlation_id,
      'session_key', o.session_key, 'created_at', wm.wire_time(o.created_at)),
    'items', coalesce((
      select json_agg(json_build_object('id', i.id, 'ordinal', i.ordinal, 'state', i.state, 'input', i.input, 'result', s.result,
               'evidence', s.evidence, 'notes', s.notes) order by i.ordinal)
        from wm.items i left join wm.submissions s on s.tenant_id = i.tenant_id and s.item_id = i.id and s.number = i.submission_number
       where i.tenant_id = p_tenant and i.order_id = p_order), '[]'),
    'moved_at', wm.wire_time(o.last_transitioned_at))::text
    from wm.orders o where o.tenant_id = p_tenant and o.id = p_order
$function$;

CREATE OR REPLACE FUNCTION wm.order_is_decided(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('approved', 'applied', 'completed') $function$;

CREATE OR REPLACE FUNCTION wm.order_is_open(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('queued', 'checked_out', 'in_progress') $function$;

CREATE OR REPLACE FUNCTION wm.order_is_revivable(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('rejected', 'failed', 'dead_lettered') $function$;

CREATE OR REPLACE FUNCTION wm.order_is_settled(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('completed', 'rejected', 'failed', 'dead_lettered', 'cancelled') $function$;

CREATE OR REPLACE FUNCTION wm.order_is_watched(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('queued', 'checked_out', 'in_progress', 'submitted', 'approved') $function$;

CREATE OR REPLACE FUNCTION wm.order_is_working(state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select state in ('checked_out', 'in_progress') $function$;

CREATE OR REPLACE FUNCTION wm.order_json(o wm.orders)
 RETURNS json
 LANGUAGE sql
 STABLE
AS $function$
  select json_build_object(
    'id', o.id, 'type', o.type, 'type_version', o.type_version, 'state', o.state, 'priority', o.priority, 'revision', o.revision,
    'requested_by_type', o.requested_by_type, 'requested_by_id', o.requested_by_id,
    'payload', o.payload, 'meta', o.meta, 'acceptance_config', o.acceptance_config,
    'items_total', o.items_total, 'items_submitted', o.items_submitted, 'last_apply_error', o.last_apply_error,
    'applied_at', wm.wire_time(o.applied_at), 'completed_at', wm.wire_time(o.completed_at),
    'last_transitioned_at', wm.wire_time(o.last_transitioned_at),
    'created_at', wm.wire_time(o.created_at), 'updated_at', wm.wire_time(o.updated_at))
$function$;

CREATE OR REPLACE FUNCTION wm.order_shown(p_tenant uuid, p_order uuid, p_principal text)
 RETURNS TABLE(digest text, members json, shown_at timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  return query select s.digest, s.members, s.shown_at from wm.shown_orders s
    where s.tenant_id = p_tenant and s.order_id = p_order and s.principal = p_principal;
end $function$;

CREATE OR REPLACE FUNCTION wm.order_to_judge(p_tenant uuid, p_order uuid, p_traces boolean, p_principal text, p_key uuid)
 RETURNS TABLE(content text, submitted_by text[], held_by text[], handed_in text[], makers text[], made text[])
 LANGUAGE plpgsql
AS $function$
declare
  v_involved text[];
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  perform wm.assert_order_fits(p_tenant, p_order);
  for content, submitted_by, held_by, handed_in in
    select wm.order_content(p_tenant, p_order),
           array(select s.submitted_by_principal from wm.submissions s where s.tenant_id = p_tenant and s.order_id = p_order
                 union select p.submitted_by_principal from wm.parts p join wm.items i on i.tenant_id = p.tenant_id and i.id = p.item_id
                        where i.tenant_id = p_tenant and i.order_id = p_order),
           array(select e.principal from wm.events e where e.tenant_id = p_tenant and e.root_id = p_order and e.kind = 'item.leased'
                 union select u.principal from wm.unnumbered u
                        where u.tenant_id = p_tenant and u.root_id = p_order and u.kind = 'item.leased'),
           case when p_traces then array(
             select s.traceparent from wm.submissions s
               join wm.items i on i.tenant_id = s.tenant_id and i.id = s.item_id and i.submission_number = s.number
              where s.tenant_id = p_tenant and s.order_id = p_order and s.traceparent is not null
              order by s.decided_at desc limit 64) end
  loop
    select array[o.requested_by_principal] || submitted_by || held_by into v_involved
      from wm.orders o where o.tenant_id = p_tenant and o.id = p_order;
    select h.makers, h.made into makers, made from wm.one_hand(p_tenant, p_principal, p_key, v_involved) h;
    return next;
  end loop;
end $function$;

CREATE OR REPLACE FUNCTION wm.part_json(p wm.parts)
 RETURNS json
 LANGUAGE sql
 STABLE
AS $function$
  select json_build_object(
    'id', p.id, 'part_key', p.part_key, 'seq', p.seq, 'revision', p.revision, 'status', p.status, 'payload', p.payload,
    'evidence', p.evidence, 'notes', p.notes, 'errors', p.errors, 'checksum', p.checksum,
    'submitted_by_agent_id', p.submitted_by_agent_id, 'created_at', wm.wire_time(p.created_at))
$function$;

CREATE OR REPLACE FUNCTION wm.pause_in_force(p_tenant uuid, p_agent text, p_principal text, p_type text)
 RETURNS json
 LANGUAGE sql
 STABLE
AS $function$
  select json_build_object('scope', f.scope, 'subject', f.subject, 'reason', f.reason, 'paused_at', wm.wire_time(f.paused_at))
    from (select 0 as place, 'everything' as scope, '' as subject, c.pause_reason as reason, c.paused_at from wm.cluster c where c.paused_at is not null
          union all
          select case p.scope when 'tenant' then 1 when 'type' then 2 else 3 end, p.scope, p.subject, p.reason, p.paused_at from wm.pauses p
           where p.tenant_id = p_tenant
             and (p.scope = 'tenant' or p.scope = 'type' and p.subject = p_type or p.scope = 'agent' and p.subject in (p_agent, p_principal))
          ) f
   order by f.place limit 1
$function$;

CREATE OR REPLACE FUNCTION wm.propose_orders(p_tenant uuid, p_ttl integer, p_configs json, p_orders json)
 RETURNS TABLE(slot integer, body text)
 LANGUAGE plpgsql
AS $function$
declare
  v_slot integer[]; v_id uuid[]; v_agent text[]; v_who text[]; v_key bytea[]; v_print bytea[]; v_items integer[];
  v_go boolean[];
  v_orders json := p_orders;
  v_now timestamptz;
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  select array_agg(s.slot), array_agg(s.id), array_agg(s.agent_id), array_agg(s.principal), array_agg(decode(s.key_hash, 'hex')),
         array_agg(decode(s.fingerprint, 'hex')), array_agg(s.items_total)
    into v_slot, v_id, v_agent, v_who, v_key, v_print, v_items
    from json_to_recordset(p_orders) as s(slot integer, id uuid, agent_id text, principal text, key_hash text, fingerprint text, items_total integer);
  -- A try-lock, because waiting for a paused rival would hang every retry of that key.
  select array_agg(pg_try_advisory_xact_lock(hashtextextended(p_tenant::text || '|' || w || '|propose_order|' || encode(k, 'hex'), 0)) order by n)
    into v_go from unnest(v_key, v_who) with ordinality as u(k, w, n);
  -- Whoever pauses an agent waits for whoever proposes, and is seen afterwards. In a new statement, like what holders of keys left.
  perform wm.share_pauses(p_tenant);
  select array_agg(u.go and not exists (
           select from wm.idempotency k
            where k.tenant_id = p_tenant and k.principal = u.who and k.operation = 'propose_order' and k.key_hash = u.key)
           and not exists (
           select from wm.pauses p where p.tenant_id = p_tenant and p.scope = 'agent' and p.subject in (u.agent, u.who)) order by u.n)
    into v_go from unnest(v_go, v_who, v_key, v_agent) with ordinality as u(go, who, key, agent, n);
  if not (true = any (v_go)) then
    return;
  end if;
  if false = any (v_go) then
    select json_agg(e.value order by e.n) into v_orders from json_array_elements(p_orders) with ordinality as e(value, n) where v_go[e.n];
  end if;
  v_now := clock_timestamp();
  perform wm.write_orders(p_tenant, v_now, p_configs, v_orders);
  return query
    with answers as materialized (
      select a.n, '{"order":' || wm.order_json(o)::text || ',"items_count":' || v_items[a.n] || '}' as body
        from wm.orders o cross join lateral (select array_position(v_id, o.id) as n) a
       where o.tenant_id = p_tenant and o.id = any (v_id)
    ), remembered as (
      insert into wm.idempotency (tenant_id, principal, operation, key_hash, fingerprint, status, body, created_at, expires_at)
        select p_tenant, v_who[a.n], 'propose_order', v_key[a.n], v_print[a.n], 201, a.body, v_now, v_now + make_interval(secs => p_ttl)
          from answers a
    )
    select v_slot[a.n], a.body from answers a;
end $function$;

CREATE OR REPLACE FUNCTION wm.refresh_statistics()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  young record;
  done integer := 0;
begin
  for young in
    select s.relname from pg_catalog.pg_stat_user_tables s join pg_catalog.pg_class c on c.oid = s.relid
     where s.schemaname = 'wm' and s.n_live_tup > 300 + 2 * greatest(c.reltuples, 0) and c.reltuples < 20000 and c.relkind = 'r'
     order by s.relname
  loop
    execute pg_catalog.format('analyze (skip_locked) wm.%I', young.relname);
    done := done + 1;
  end loop;
  return done;
end $function$;
grant execute on function wm.refresh_statistics() to wm_system;
revoke all on function wm.refresh_statistics() from public;

CREATE OR REPLACE FUNCTION wm.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'wm.% is append only', tg_table_name using errcode = 'restrict_violation';
end $function$;

CREATE OR REPLACE FUNCTION wm.room_by_type(p_tenant uuid, p_type text, p_max integer, p_own json, p_held jsonb, p_paused text[])
 RETURNS TABLE(type text, room integer)
 LANGUAGE sql
 STABLE
AS $function$
  with recursive ready(type) as (
    (select i.order_type from wm.items i where i.tenant_id = p_tenant and i.ready and p_type is null order by i.order_type limit 1)
    union all
    select (select i.order_type from wm.items i where i.tenant_id = p_tenant and i.ready and i.order_type > r.type order by i.order_type limit 1)
      from ready r where r.type is not null
  )
  select w.type, coalesce(coalesce((p_own ->> w.type)::integer, p_max) - coalesce((p_held ->> w.type)::integer, 0), 1000)
    from (select r.type from ready r where r.type is not null union all select p_type where p_type is not null) w
   where p_paused is null or w.type <> all (p_paused)
$function$;

CREATE OR REPLACE FUNCTION wm.room_by_type(p_tenant uuid, p_type text, p_max integer, p_own json, p_held jsonb, p_paused text[], p_min integer DEFAULT '-32768'::integer, p_wanted integer DEFAULT NULL::integer, p_busy uuid[] DEFAULT NULL::uuid[], p_who text[] DEFAULT '{}'::text[])
 RETURNS TABLE(type text, room integer, far integer)
 LANGUAGE plpgsql
 STABLE
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION wm.share_agent_pause(p_tenant uuid, p_agent text, p_principal text)
 RETURNS json
 LANGUAGE plpgsql
AS $function$
begin
  perform wm.share_pauses(p_tenant);
  return (select json_build_object('scope', p.scope, 'subject', p.subject, 'reason', p.reason, 'paused_at', wm.wire_time(p.paused_at))
            from wm.pauses p where p.tenant_id = p_tenant and p.scope = 'agent' and p.subject in (p_agent, p_principal) limit 1);
end $function$;

CREATE OR REPLACE FUNCTION wm.share_pause(p_tenant uuid, p_agent text, p_principal text, p_type text)
 RETURNS json
 LANGUAGE plpgsql
AS $function$
begin
  perform wm.share_pauses(p_tenant);
  return wm.pause_in_force(p_tenant, p_agent, p_principal, p_type);
end $function$;

CREATE OR REPLACE FUNCTION wm.share_pauses(p_tenant uuid)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('wm.pauses', 0)),
          pg_advisory_xact_lock_shared(hashtextextended('wm.pauses|' || p_tenant::text, 0));
end $function$;

CREATE OR REPLACE FUNCTION wm.submit_items(p_tenant uuid, p_idempotency_ttl integer, p_slots json)
 RETURNS TABLE(slot integer, verdict text, status integer, body text, order_id uuid, order_submitted boolean, state text, token text, agent text, who text, requires_token boolean, expired_at timestamp with time zone, decided_at timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE PROCEDURE wm.tenant_table(IN p_table text, IN p_app text DEFAULT 'select, insert, update'::text, IN p_system text DEFAULT 'select'::text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $procedure$
declare
  v_table regclass := to_regclass(format('wm.%I', p_table));
  v_grant text;
begin
  if v_table is null then
    raise exception 'There is no table wm.%.', p_table using errcode = 'undefined_table', hint = 'Create the table, then fence it.';
  end if;
  if not exists (
    select from pg_index x join pg_attribute t on t.attrelid = x.indrelid and t.attnum = x.indkey[0]
     where x.indrelid = v_table and x.indisprimary and t.attname = 'tenant_id' and t.atttypid = 'uuid'::regtype) then
    raise exception 'The primary key of wm.% does not begin with tenant_id.', p_table
      using errcode = 'invalid_table_definition', hint = 'Begin with `tenant_id uuid not null` and `primary key (tenant_id, …)`.';
  end if;
  foreach v_grant in array array[p_app, p_system] loop
    if v_grant !~ '^[a-z_]+( \([a-z_, ]+\))?(, [a-z_]+( \([a-z_, ]+\))?)*$' then
      raise exception '''%'' is no list of privileges.', v_grant
        using errcode = 'syntax_error', hint = 'Write what stands after `grant`, such as: select, insert, update (state).';
    end if;
  end loop;
  execute format('alter table wm.%I enable row level security', p_table);
  execute format('alter table wm.%I force row level security', p_table);
  execute format('create policy app on wm.%I to wm_app using (tenant_id = wm.current_tenant()) with check (tenant_id = wm.current_tenant())',
    p_table);
  execute format('create policy system on wm.%I to wm_system using (true) with check (true)', p_table);
  execute format('grant %s on wm.%I to wm_app', p_app, p_table);
  execute format('grant %s on wm.%I to wm_system', p_system, p_table);
end $procedure$;
revoke all on procedure wm.tenant_table(text,text,text) from public;

CREATE OR REPLACE FUNCTION wm.tenants_with_news(p_after uuid, p_without uuid[], p_most integer)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE
AS $function$
  with recursive news(tenant_id, n) as (
    (select i.tenant_id, 1 from wm.intake i where p_after is null or i.tenant_id > p_after order by i.tenant_id limit 1)
    union all
    select (select i.tenant_id from wm.intake i where i.tenant_id > w.tenant_id order by i.tenant_id limit 1),
           w.n + case when w.tenant_id = any (p_without) then 0 else 1 end
      from news w where w.tenant_id is not null and w.n <= p_most
  )
  select w.tenant_id from news w where w.tenant_id is not null and (p_without is null or w.tenant_id <> all (p_without)) limit p_most
$function$;

CREATE OR REPLACE FUNCTION wm.wire_time(t timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $function$;

CREATE OR REPLACE FUNCTION wm.within_agent_limit(p_tenant uuid, p_max integer, p_agents text[], p_asking integer[])
 RETURNS TABLE(n integer)
 LANGUAGE sql
 STABLE
AS $function$
  select k.n from (select u.n, row_number() over (partition by p_agents[u.n] order by u.n) as place from unnest(p_asking) as u(n)) k
   where k.place + (select count(*) from wm.items i where i.tenant_id = p_tenant and i.leased and i.leased_by_agent_id = p_agents[k.n]) <= p_max
$function$;

CREATE OR REPLACE FUNCTION wm.within_agent_limit(p_tenant uuid, p_max integer, p_agents text[], p_who text[], p_asking integer[])
 RETURNS TABLE(n integer)
 LANGUAGE sql
 STABLE
AS $function$
  select k.n from (select u.n, row_number() over (partition by p_agents[u.n], p_who[u.n] order by u.n) as place from unnest(p_asking) as u(n)) k
   where k.place + (select count(*) from wm.items i where i.tenant_id = p_tenant and i.leased and i.leased_by_agent_id = p_agents[k.n]
                       and i.leased_by_principal = p_who[k.n]) <= p_max
$function$;

CREATE OR REPLACE FUNCTION wm.within_principal_limit(p_tenant uuid, p_max integer, p_who text[], p_asking integer[])
 RETURNS TABLE(n integer)
 LANGUAGE sql
 STABLE
AS $function$
  select k.n from (select u.n, row_number() over (partition by p_who[u.n] order by u.n) as place from unnest(p_asking) as u(n)) k
   where k.place + (select count(*) from wm.items i where i.tenant_id = p_tenant and i.leased and i.leased_by_principal = p_who[k.n]) <= p_max
$function$;

CREATE OR REPLACE FUNCTION wm.work_window(p_tenants text, p_epoch integer, p_heartbeat_every integer, p_idempotency_ttl integer, p_takes integer, p_beats integer, g_tenant uuid[], g_type text[], g_first integer[], g_size integer[], p_key_id uuid[], p_tenant uuid[], p_agent text[], p_who text[], p_actor text[], p_actor_id text[], p_request text[], p_prov uuid[], p_trace text[], p_secret text[], p_item uuid[], p_id uuid[], p_result text[], p_evidence text[], p_notes text[], p_digest text[], p_key bytea[], p_print bytea[], p_traceparent text[])
 RETURNS TABLE(slot integer, item_id uuid, order_id uuid, body text, order_full boolean, ttl integer, needs_token boolean, decided_at timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
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
end $function$;
grant execute on function wm.work_window(text,integer,integer,integer,integer,integer,uuid[],text[],integer[],integer[],uuid[],uuid[],text[],text[],text[],text[],text[],uuid[],text[],text[],uuid[],uuid[],text[],text[],text[],text[],bytea[],bytea[],text[]) to wm_window;
revoke all on function wm.work_window(text,integer,integer,integer,integer,integer,uuid[],text[],integer[],integer[],uuid[],uuid[],text[],text[],text[],text[],text[],uuid[],text[],text[],uuid[],uuid[],text[],text[],text[],text[],bytea[],bytea[],text[]) from public;

CREATE OR REPLACE FUNCTION wm.write_items(p_tenant uuid, p_at timestamp with time zone, p_orders json)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  insert into wm.items (tenant_id, id, order_id, ordinal, type, order_type, priority, state, max_attempts, lease_ttl_seconds,
      max_lease_seconds, require_token, record_heartbeats, input, parts_required, traceparent, correlation_id, session_key, due_at, created_at, updated_at)
    select p_tenant, r.id, o.id, r.ordinal, r.type, o.type, o.priority, 'queued', r."maxAttempts", r."leaseTtlSeconds", r."maxLeaseSeconds",
        r."requireToken", r."recordHeartbeats", r.input, r."partsRequired", o.traceparent, o.correlation_id, o.session_key,
        p_at - make_interval(secs => o.due_early), p_at, p_at
      from json_to_recordset(p_orders) as o(id uuid, type text, priority integer, due_early double precision, traceparent text,
             correlation_id text, session_key text, items json)
     cross join lateral json_to_recordset(o.items) as r(id uuid, ordinal integer, type text, "maxAttempts" integer,
             "leaseTtlSeconds" integer, "maxLeaseSeconds" integer, "requireToken" boolean, "recordHeartbeats" boolean, input json,
             "partsRequired" text[]);
end $function$;

CREATE OR REPLACE FUNCTION wm.write_orders(p_tenant uuid, p_at timestamp with time zone, p_configs json, p_orders json)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  insert into wm.orders (tenant_id, id, type, type_version, state, priority, requested_by_type, requested_by_id, requested_by_principal,
      payload, meta, acceptance_config, on_item_failure, items_total, traceparent, correlation_id, session_key, last_transitioned_at,
      created_at, updated_at)
    select p_tenant, o.id, o.type, o.type_version, 'queued', o.priority, o.actor_type, o.actor_id, o.principal, coalesce(o.payload, 'null'),
        o.meta, p_configs -> o.type, o.on_item_failure, o.items_total, o.traceparent, o.correlation_id, o.session_key, p_at, p_at, p_at
      from json_to_recordset(p_orders) as o(id uuid, type text, type_version integer, priority integer, actor_type text, actor_id text,
             principal text, payload json, meta jsonb, on_item_failure text, items_total integer, traceparent text, correlation_id text,
             session_key text);
  perform wm.write_items(p_tenant, p_at, p_orders);
  insert into wm.intake (tenant_id, decided_at, kinds, subject_ids, root_ids, labels, actor_types, actor_ids, principals, request_ids,
      trace_ids, provenance_ids, correlation_ids, session_keys, payloads, messages)
    select p_tenant, p_at, array_agg(f.kind), array_agg(f.id), array_agg(f.id), array_agg(f.type), array_agg(f.actor_type),
           array_agg(f.actor_id), array_agg(f.principal), array_agg(f.request_id), array_agg(f.trace_id), array_agg(f.provenance_id),
           array_agg(f.correlation_id), array_agg(f.session_key), array_agg(f.payload), array_agg(f.message)
      from (
        select k.kind, o.*, k.payload, k.message
          from rows from (json_to_recordset(p_orders) as (id uuid, type text, actor_type text, actor_id text, principal text,
                 request_id text, trace_id text, provenance_id uuid, correlation_id text, session_key text, items_total integer, payload json,
                 message text)) with ordinality as o(id, type, actor_type, actor_id, principal, request_id, trace_id, provenance_id,
                 correlation_id, session_key, items_total, asked, said, place)
         cross join lateral (
           select 1 as step, 'order.proposed' as kind, o.asked::text as payload, o.said as message
           union all
           select 2, 'order.planned', json_build_object('item_count', o.items_total)::text, null where o.items_total > 0) k
         order by o.place, k.step) f;
end $function$;
