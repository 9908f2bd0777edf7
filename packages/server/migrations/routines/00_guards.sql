-- Generated from the machines and events of packages/contract/src by `npm run generate`. Do not edit.
-- Not even a psql session can make an illegal move: the tables that TypeScript decides by are enforced here once more.

create or replace function wm.event_priority(kind text) returns smallint
  language sql immutable parallel safe
  as $$
  select (case
    when kind in ('order.approved', 'order.rejected', 'order.apply_failed', 'order.applied', 'order.cancelled', 'effect.unknown', 'pause.set', 'pause.lifted', 'key.created', 'key.rotated', 'key.revoked', 'key.invited', 'key.claimed', 'tenant.tier_set', 'publisher.cursor_moved', 'publisher.messages_retried', 'publisher.message_discarded', 'record.damaged') then 0
    when kind in ('order.proposed', 'order.submitted', 'order.auto_approval_failed', 'order.completed', 'order.failed', 'order.dead_lettered', 'effect.delivered', 'effect.failed', 'item.submitted', 'item.failed', 'item.dead_lettered') then 1
    when kind in ('order.in_progress', 'item.in_progress', 'item.heartbeat') then 3
    else 2 end)::smallint
$$;

create or replace function wm.guard_order_state() returns trigger
  language plpgsql
  as $$
begin
  if tg_op = 'INSERT' then
    raise exception 'a new order starts as queued, not %', new.state using errcode = 'check_violation', constraint = 'order_state_machine';
  end if;
  raise exception 'Illegal state transition for order: cannot transition from ''%'' to ''%''', old.state, new.state
    using errcode = 'check_violation', constraint = 'order_state_machine';
end $$;
create or replace trigger orders_state_insert before insert on wm.orders
  for each row when (new.state <> 'queued') execute function wm.guard_order_state();
create or replace trigger orders_state_update before update on wm.orders
  for each row when (old.state is distinct from new.state and old.state || '>' || new.state <> all (array[
    'queued>checked_out', 'queued>submitted', 'queued>failed', 'queued>cancelled', 'checked_out>in_progress', 'checked_out>queued', 'checked_out>submitted', 'checked_out>failed', 'checked_out>cancelled', 'in_progress>queued', 'in_progress>submitted', 'in_progress>failed', 'in_progress>cancelled', 'submitted>approved', 'submitted>rejected', 'submitted>cancelled', 'approved>applied', 'approved>submitted', 'approved>cancelled', 'applied>completed', 'rejected>queued', 'rejected>cancelled', 'failed>queued', 'failed>dead_lettered', 'dead_lettered>queued'
  ])) execute function wm.guard_order_state();

create or replace function wm.order_is_open(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('queued', 'checked_out', 'in_progress') $$;

create or replace function wm.order_is_watched(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('queued', 'checked_out', 'in_progress', 'submitted', 'approved') $$;

create or replace function wm.order_is_working(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('checked_out', 'in_progress') $$;

create or replace function wm.order_is_decided(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('approved', 'applied', 'completed') $$;

create or replace function wm.order_is_settled(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('completed', 'rejected', 'failed', 'dead_lettered', 'cancelled') $$;

create or replace function wm.order_is_revivable(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('rejected', 'failed', 'dead_lettered') $$;

create or replace function wm.guard_item_state() returns trigger
  language plpgsql
  as $$
begin
  if tg_op = 'INSERT' then
    raise exception 'a new item starts as queued, not %', new.state using errcode = 'check_violation', constraint = 'item_state_machine';
  end if;
  raise exception 'Illegal state transition for item: cannot transition from ''%'' to ''%''', old.state, new.state
    using errcode = 'check_violation', constraint = 'item_state_machine';
end $$;
create or replace trigger items_state_insert before insert on wm.items
  for each row when (new.state <> 'queued') execute function wm.guard_item_state();
create or replace trigger items_state_update before update on wm.items
  for each row when (old.state is distinct from new.state and old.state || '>' || new.state <> all (array[
    'queued>leased', 'queued>failed', 'queued>cancelled', 'leased>in_progress', 'leased>queued', 'leased>failed', 'leased>cancelled', 'in_progress>submitted', 'in_progress>queued', 'in_progress>failed', 'in_progress>cancelled', 'submitted>accepted', 'submitted>rejected', 'submitted>cancelled', 'accepted>completed', 'rejected>queued', 'rejected>cancelled', 'failed>queued', 'failed>dead_lettered', 'failed>cancelled', 'dead_lettered>queued'
  ])) execute function wm.guard_item_state();

create or replace function wm.item_is_open(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('queued', 'leased', 'in_progress') $$;

create or replace function wm.item_is_held(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('leased', 'in_progress') $$;

create or replace function wm.item_is_handed_in(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('submitted', 'accepted', 'completed') $$;

create or replace function wm.item_is_decidable(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('submitted', 'dead_lettered') $$;

create or replace function wm.item_is_closed(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('submitted', 'accepted', 'completed', 'dead_lettered', 'cancelled') $$;

create or replace function wm.item_is_revivable(state text) returns boolean
  language sql immutable parallel safe
  as $$ select state in ('rejected', 'failed', 'dead_lettered') $$;
