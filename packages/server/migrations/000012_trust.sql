-- What one holder of a key can do to the others: whose hands a key went through, who dropped an item, how long a lease may grow old.

-- A key of a person is never seen by another person: whoever makes one gets an invitation, which that person redeems. `grants`: what the
-- key that it stands for will hold, for an invitation only; `grants_until`: when that key ends. `makers`: the principals other than its own
-- whose hands are in the key; what they touched, it does not approve.
alter table wm.api_keys
  add column grants text[],
  add column grants_until timestamptz,
  add column makers text[] not null default '{}',
  add check (grants is null or principal_kind = 'person');
create index api_keys_makers_idx on wm.api_keys using gin (makers) where makers <> '{}';

-- Row security is forced, so the owner sees no row while it is: it is lifted for the backfill, inside this transaction.
alter table wm.api_keys no force row level security;
-- Who made or rotated a key, and whoever made the one that it replaced.
with recursive hands as (
  select k.tenant_id, k.id, k.created_by from wm.api_keys k
  union
  select k.tenant_id, k.replaced_by, h.created_by
    from hands h join wm.api_keys k on k.tenant_id = h.tenant_id and k.id = h.id where k.replaced_by is not null
)
update wm.api_keys k set makers = m.makers
  from (select h.tenant_id, h.id, array_agg(distinct h.created_by) as makers
          from hands h join wm.api_keys o on o.tenant_id = h.tenant_id and o.id = h.id
         where h.created_by is not null and h.created_by not like 'system:%' and h.created_by <> o.principal_kind || ':' || o.principal_id
         group by h.tenant_id, h.id) m
 where k.tenant_id = m.tenant_id and k.id = m.id and k.principal_kind = 'person';
alter table wm.api_keys force row level security;

-- leased_at, lease_ends_by: of the latest lease. Heartbeats do not carry it past lease_ends_by; work that is handed in piece by piece does.
-- dropped_by: principal → {"until": seconds since 1970, "times": n, "gave_up": true}: who let the item go, and until when others go first.
alter table wm.items
  add column leased_at timestamptz,
  add column lease_ends_by timestamptz,
  add column max_lease_seconds integer check (max_lease_seconds > 0),
  add column dropped_by jsonb;
grant update (leased_at, lease_ends_by, dropped_by) on wm.items to wm_app, wm_system;

-- What cursors are signed with; each tenant's key is derived from it. Not for the role that serves tenants.
alter table wm.cluster
  add column secret bytea not null default sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
revoke select on wm.cluster from wm_app;
grant select (only_row, id, epoch, created_at, paused_at, paused_by, pause_reason) on wm.cluster to wm_app;

-- What each person was shown of an order last, in short hashes, so that a decision about something else can say what changed.
create table wm.shown_orders (
  tenant_id uuid not null references wm.tenants,
  order_id uuid not null,
  principal text not null,
  digest text not null,
  members json not null,
  shown_at timestamptz not null,
  primary key (tenant_id, order_id, principal)
);
call wm.tenant_table('shown_orders', 'select, insert, update (digest, members, shown_at), delete', 'select, delete');
create index shown_orders_age_idx on wm.shown_orders (shown_at);

-- How far the server has checked its own record, and the damage that it found.
create table wm.record_checks (
  tenant_id uuid not null references wm.tenants,
  through bigint not null default 0,
  checked_at timestamptz not null,
  whole_at timestamptz,
  damage text,
  damage_seq bigint,
  damage_detail text,
  damage_since timestamptz,
  primary key (tenant_id),
  check ((damage is null) = (damage_since is null))
);
call wm.tenant_table('record_checks', 'select', 'select, insert, update (through, checked_at, whole_at, damage, damage_seq, damage_detail, damage_since)');

-- They grow by whoever asks (routines/15_dropped.sql, 20_leases.sql).
drop function if exists wm.hinted_candidates(uuid, uuid[], uuid, text[], integer, integer);
drop function if exists wm.candidates_of_order(uuid, uuid, integer);
drop function if exists wm.candidates_of_queue(uuid, integer, integer);
drop function if exists wm.candidates_of_types(uuid, text[], integer[], integer, integer);
drop function if exists wm.within_agent_limit(uuid, integer, text[], integer[]);
