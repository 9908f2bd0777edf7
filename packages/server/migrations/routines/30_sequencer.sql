-- Order and proof. Takes committed facts that have no number yet, gives each tenant's facts a gap-free seq and chains their hashes:
--   hash = SHA-256("wm1" then, each as a netstring: prev hash, tenant, order, item, seq, event id, kind, decided_at, actor type, actor id,
--          principal, SHA-256(payload), SHA-256(diff), message)
-- A netstring is `<bytes>:<text>,`; what is absent is empty; hashes are lower-case hex. No two records share one encoding, and a payload
-- hangs on its digest, so it can be erased later without breaking the chain.
-- Only committed rows are seen, so a number is never given to something that may still vanish; and nothing is skipped: p_sweep reads
-- again everything at or above the low-water transaction id, below which no transaction can still be running.

create or replace function wm.netstring(t text) returns text
  language sql immutable parallel safe
  as $$ select octet_length(coalesce(t, '')) || ':' || coalesce(t, '') || ',' $$;

create or replace function wm.ledger_hash(prev text, seq bigint, e wm.events) returns bytea
  language sql stable
  as $$
  select sha256(convert_to('wm1' || wm.netstring(prev) || wm.netstring(e.tenant_id::text) || wm.netstring(e.order_id::text)
    || wm.netstring(e.item_id::text) || wm.netstring(seq::text) || wm.netstring(e.id::text) || wm.netstring(e.kind)
    || wm.netstring(wm.wire_time(e.decided_at)) || wm.netstring(e.actor_type) || wm.netstring(e.actor_id) || wm.netstring(e.principal)
    || wm.netstring(encode(sha256(convert_to(coalesce(e.payload::text, ''), 'UTF8')), 'hex'))
    || wm.netstring(encode(sha256(convert_to(coalesce(e.diff::text, ''), 'UTF8')), 'hex'))
    || wm.netstring(e.message), 'UTF8'))
$$;

create or replace function wm.sequence_facts(p_limit integer, p_sweep boolean) returns integer
  language plpgsql
  as $$
declare
  v_progress wm.ledger_progress;
  v_horizon bigint;
  v_event wm.events;
  v_tenant uuid;
  v_seq bigint;
  v_prev bytea;
  v_hash bytea;
  v_done integer := 0;
  v_newest bigint;
begin
  -- One sequencer at a time; it vanishes with its transaction, so another process takes over at once.
  if not pg_try_advisory_xact_lock(hashtextextended('wm.sequencer', 0)) then
    return -1;
  end if;
  select * into v_progress from wm.ledger_progress for update;
  v_horizon := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
  v_newest := v_progress.newest_xid;

  for v_event in
    select e.* from wm.events e
     where e.xid >= case when p_sweep then v_progress.low_water_xid else v_progress.newest_xid end
       and not exists (select 1 from wm.ledger l where l.tenant_id = e.tenant_id and l.event_position = e.position)
     order by e.tenant_id, e.position
     limit p_limit
  loop
    if v_tenant is distinct from v_event.tenant_id then
      if v_tenant is not null then
        insert into wm.ledger_heads values (v_tenant, v_seq, v_hash)
          on conflict (tenant_id) do update set seq = excluded.seq, hash = excluded.hash;
      end if;
      v_tenant := v_event.tenant_id;
      select h.seq, h.hash into v_seq, v_hash from wm.ledger_heads h where h.tenant_id = v_tenant;
      if not found then
        v_seq := 0;
        v_hash := decode(repeat('00', 32), 'hex');
      end if;
    end if;
    v_seq := v_seq + 1;
    v_prev := v_hash;
    v_hash := wm.ledger_hash(encode(v_prev, 'hex'), v_seq, v_event);
    insert into wm.ledger (tenant_id, seq, event_position, event_decided_at, prev_hash, hash, sequenced_at)
      values (v_tenant, v_seq, v_event.position, v_event.decided_at, v_prev, v_hash, clock_timestamp());
    v_newest := greatest(v_newest, v_event.xid);
    v_done := v_done + 1;
  end loop;
  if v_tenant is not null then
    insert into wm.ledger_heads values (v_tenant, v_seq, v_hash)
      on conflict (tenant_id) do update set seq = excluded.seq, hash = excluded.hash;
  end if;

  -- A full batch may have left older facts behind: only a batch that ended moves the marks.
  if v_done < p_limit then
    update wm.ledger_progress
       set newest_xid = v_newest, low_water_xid = case when p_sweep then greatest(v_horizon, low_water_xid) else low_water_xid end
     where newest_xid <> v_newest or p_sweep and low_water_xid < v_horizon;
  end if;
  return v_done;
end $$;
