-- Governance: fair order of ready items, counted leases, pauses, and sweeps that go round the tenants.

-- No index names `state`: a first heartbeat (leased → in_progress) leaves `leased` as it is and stays a HOT update.
-- due_at: when the item became known, minus its priority times the ageing step. "Earliest due first" is priority with linear ageing.
alter table wm.items
  add column ready boolean not null generated always as (state = 'queued') stored,
  add column leased boolean not null generated always as (state in ('leased', 'in_progress')) stored,
  add column failed boolean not null generated always as (state = 'failed') stored,
  add column due_at timestamptz;

drop index wm.items_ready_idx, wm.items_ready_type_idx, wm.items_leased_idx, wm.items_failed_idx;

-- Row security is forced, so the owner sees no row while it is: it is lifted for the backfill, inside this transaction.
alter table wm.items no force row level security;
update wm.items set due_at = created_at - make_interval(secs => priority * 600.0);
alter table wm.items force row level security;
alter table wm.items alter column due_at set not null;

-- Claims walk these two. The priority stands between, so that `min_priority` is judged without a visit to the row.
create index items_ready_idx on wm.items (tenant_id, due_at, priority, id) where ready;
create index items_ready_type_idx on wm.items (tenant_id, order_type, due_at, priority, id) where ready;
-- Limits count in this one, the reclaimer reads the few leased rows through it. It holds nothing that a heartbeat changes.
create index items_leased_idx on wm.items (tenant_id, leased_by_agent_id, order_type) where leased;
create index items_failed_idx on wm.items (tenant_id, available_at) where failed;

-- What the sweeps walk, tenant by tenant.
drop index wm.orders_waiting_idx, wm.effects_due_idx;
create index orders_approved_idx on wm.orders (tenant_id, last_transitioned_at) where state = 'approved';
create index orders_undecided_idx on wm.orders (tenant_id, last_transitioned_at, type)
  where state = 'submitted' and auto_approval_tried_revision < revision;
create index effects_due_idx on wm.effects (tenant_id, available_at) where state in ('pending', 'running');

-- The kill switch. A row is a pause in force; who set and lifted it and why is in the record (pause.set, pause.lifted).
create table wm.pauses (
  tenant_id uuid not null references wm.tenants,
  scope text not null check (scope in ('agent', 'type', 'tenant')),
  subject text not null check (length(subject) <= 255 and (scope = 'tenant') = (subject = '')),
  reason text not null,
  principal text not null,
  paused_at timestamptz not null,
  primary key (tenant_id, scope, subject)
);
alter table wm.pauses enable row level security;
alter table wm.pauses force row level security;
create policy app on wm.pauses to wm_app using (tenant_id = wm.current_tenant()) with check (tenant_id = wm.current_tenant());
create policy system on wm.pauses to wm_system using (true) with check (true);
grant select, insert, update (reason, principal), delete on wm.pauses to wm_app;
grant select on wm.pauses to wm_system;

-- Everything, in all tenants: only the system role may set it.
alter table wm.cluster
  add column paused_at timestamptz,
  add column paused_by text,
  add column pause_reason text,
  add check ((paused_at is null) = (paused_by is null) and (paused_at is null) = (pause_reason is null));
grant update (paused_at, paused_by, pause_reason) on wm.cluster to wm_system;

-- It knows neither limits nor pauses. A process of an older version that still calls it is refused, instead of granting past them.
drop function if exists wm.checkout_items(uuid, uuid, text, integer, integer, integer, json);
