-- As it was before migration 7, kept to build a chain of version 1 with the code that built them (ledger/upgrade.test.ts).
-- Order and proof. Takes committed facts that have no number yet, gives each tenant's facts a gap-free seq and chains their hashes:
--   hash = SHA-256("wm1" then, each as a netstring: prev hash, tenant, order, item, seq, event id, kind, decided_at, actor type, actor id,
--          principal, SHA-256(payload), SHA-256(diff), message)
-- A netstring is `<bytes>:<text>,`; what is absent is empty; hashes are lower-case hex. No two records share one encoding, and a payload
-- hangs on its digest, so it can be erased later without breaking the chain.
-- Only committed rows are seen, so a number is never given to something that may still vanish; and nothing is skipped: p_sweep reads
-- again everything at or above the low-water transaction id, below which no transaction can still be running.

-- `::text`, because integer || text is only stable, and a stable body in an immutable function is not inlined (5 times slower).
create or replace function wm.netstring(t text) returns text
  language sql immutable parallel safe
  as $$ select octet_length(coalesce(t, ''))::text || ':' || coalesce(t, '') || ',' $$;

-- What a hash is made of, cut where the number goes in: what the fact is about, and what it says.
create or replace function wm.ledger_subject(e wm.events) returns text
  language sql stable
  as $$ select wm.netstring(e.tenant_id::text) || wm.netstring(e.order_id::text) || wm.netstring(e.item_id::text) $$;

create or replace function wm.ledger_content(e wm.events) returns text
  language sql stable
  as $$
  select wm.netstring(e.id::text) || wm.netstring(e.kind)
    || wm.netstring(wm.wire_time(e.decided_at)) || wm.netstring(e.actor_type) || wm.netstring(e.actor_id) || wm.netstring(e.principal)
    || wm.netstring(encode(sha256(convert_to(coalesce(e.payload::text, ''), 'UTF8')), 'hex'))
    || wm.netstring(encode(sha256(convert_to(coalesce(e.diff::text, ''), 'UTF8')), 'hex'))
    || wm.netstring(e.message)
$$;

create or replace function wm.ledger_hash(prev bytea, seq bigint, subject text, content text) returns bytea
  language sql stable
  as $$ select sha256(convert_to('wm1' || wm.netstring(encode(prev, 'hex')) || subject || wm.netstring(seq::text) || content, 'UTF8')) $$;

-- `done` is the number of facts sequenced by this pass (-1: another process is the sequencer just now); `facts` counts them by kind, order
-- type and reason, with the seconds to each approval, so that metrics come from the record: every committed fact passes here exactly once,
-- whichever process wrote it.
-- The plan is pinned to index scans: facts from events_xid_idx, each looked up in ledger_event_idx. Left alone, the planner walks both
-- primary keys from their beginning to save the sort, and every pass reads the whole history (11 ms at 10,000 facts).
create or replace function wm.sequence(p_limit integer, p_sweep boolean, out done integer, out facts json)
  language plpgsql
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
  as $$
declare
  v_progress wm.ledger_progress;
  v_horizon bigint;
  v_from bigint;
  v_fact record;
  v_tenant uuid;
  v_seq bigint;
  v_prev bytea;
  v_hash bytea;
  v_done integer := 0;
  v_reached bigint := 0;
  v_newest bigint;
  v_low bigint;
  -- The rows to write, column by column: one insert instead of one per fact.
  v_tenants uuid[]; v_seqs bigint[]; v_positions bigint[]; v_times timestamptz[]; v_prevs bytea[]; v_hashes bytea[];
  -- What is counted of them.
  v_kinds text[]; v_types text[]; v_reasons text[]; v_seconds double precision[];
begin
  -- One sequencer at a time; it vanishes with its transaction, so another process takes over at once.
  if not pg_try_advisory_xact_lock(hashtextextended('wm.sequencer', 0)) then
    done := -1;
    return;
  end if;
  select * into v_progress from wm.ledger_progress for update;
  v_horizon := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
  v_low := v_progress.low_water_xid;
  v_from := case when p_sweep then v_progress.low_water_xid else v_progress.newest_xid end;

  for v_fact in
    with found as materialized (
      select e.tenant_id, e.position, e.decided_at, e.xid, wm.ledger_subject(e) as subject, wm.ledger_content(e) as content,
             e.kind, e.order_type,
             -- Why it failed, in a word of a closed set: the class that an agent names, else the server's own error code. Never the code
             -- that an agent made up: metrics keep a series for each.
             case e.kind
               when 'item.failed' then coalesce(e.payload #>> '{error,class}', e.payload #>> '{error,code}')
               when 'order.apply_failed' then e.payload ->> 'code'
             end as reason,
             case e.kind when 'order.approved' then
               (select extract(epoch from e.decided_at - o.created_at)::double precision
                  from wm.orders o where o.tenant_id = e.tenant_id and o.id = e.order_id)
             end as seconds
        from wm.events e
       where e.xid >= v_from
         and not exists (select 1 from wm.ledger l where l.tenant_id = e.tenant_id and l.event_position = e.position)
       order by e.xid, e.position
       limit p_limit
    )
    select * from found f order by f.tenant_id, f.position
  loop
    if v_tenant is distinct from v_fact.tenant_id then
      if v_tenant is not null then
        insert into wm.ledger_heads values (v_tenant, v_seq, v_hash)
          on conflict (tenant_id) do update set seq = excluded.seq, hash = excluded.hash;
      end if;
      v_tenant := v_fact.tenant_id;
      select h.seq, h.hash into v_seq, v_hash from wm.ledger_heads h where h.tenant_id = v_tenant;
      if not found then
        v_seq := 0;
        v_hash := decode(repeat('00', 32), 'hex');
      end if;
    end if;
    v_seq := v_seq + 1;
    v_prev := v_hash;
    v_hash := wm.ledger_hash(v_prev, v_seq, v_fact.subject, v_fact.content);
    v_done := v_done + 1;
    v_tenants[v_done] := v_tenant;
    v_seqs[v_done] := v_seq;
    v_positions[v_done] := v_fact.position;
    v_times[v_done] := v_fact.decided_at;
    v_prevs[v_done] := v_prev;
    v_hashes[v_done] := v_hash;
    v_kinds[v_done] := v_fact.kind;
    v_types[v_done] := v_fact.order_type;
    v_reasons[v_done] := v_fact.reason;
    v_seconds[v_done] := v_fact.seconds;
    v_reached := greatest(v_reached, v_fact.xid);
  end loop;
  v_newest := greatest(v_progress.newest_xid, v_reached);
  if v_done > 0 then
    insert into wm.ledger_heads values (v_tenant, v_seq, v_hash)
      on conflict (tenant_id) do update set seq = excluded.seq, hash = excluded.hash;
    insert into wm.ledger (tenant_id, seq, event_position, event_decided_at, prev_hash, hash, sequenced_at)
      select r.*, clock_timestamp() from unnest(v_tenants, v_seqs, v_positions, v_times, v_prevs, v_hashes) as r;
    select json_agg(c) into facts from (
      select f.kind, f.type, f.reason, count(*)::integer as n, array_agg(f.seconds) filter (where f.seconds is not null) as seconds
        from unnest(v_kinds, v_types, v_reasons, v_seconds) as f (kind, type, reason, seconds)
       group by f.kind, f.type, f.reason) c;
  end if;

  -- Everything visible below the newest fact of this batch has its number now. The fast mark stays at the oldest running transaction
  -- while that is near, so that facts which commit a little out of turn need not wait for the sweep; a slow one it passes.
  if v_newest - v_horizon between 1 and 1000 then
    v_newest := greatest(v_horizon, v_progress.newest_xid);
  end if;
  if p_sweep then
    v_low := greatest(v_progress.low_water_xid, case when v_done < p_limit then v_horizon else least(v_horizon, v_reached) end);
  end if;
  update wm.ledger_progress set newest_xid = v_newest, low_water_xid = v_low where newest_xid <> v_newest or low_water_xid <> v_low;
  done := v_done;
end $$;

-- Its name in an earlier version, whose processes cannot work on this schema anyway.
drop function if exists wm.sequence_facts(integer, boolean);
