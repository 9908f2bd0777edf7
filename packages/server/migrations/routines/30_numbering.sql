-- Numbers and proof. Takes what is committed in the intake, gives each tenant's events a gap-free seq and chains their hashes:
--   hash = SHA-256("wm2" then, each as a netstring: prev hash, tenant, seq, event id, kind, decided_at, subject type, subject id, root id,
--          label, actor type, actor id, principal, request id, trace id, provenance id, correlation id, causation id, session key, priority,
--          reason, seconds, SHA-256(payload), SHA-256(diff), message)
-- A netstring is `<bytes>:<text>,`; hashes are lower-case hex. An absent member and an empty text are one; but for that, no two events share
-- one encoding. A payload hangs on its digest, so it can be erased later without breaking the chain.
-- Events of hash_version 1 come from before migration 7. Their hash, over fewer members, stands in ledger/verify.ts; the first wm2 event
-- continues from the last of them.
-- Only committed rows are seen, so a number is never given to something that may still vanish; and nothing is skipped, because a row that
-- is there has no number yet, and numbering deletes it in the transaction that inserts its events.

-- `::text`, because integer || text is only stable, and a stable body in an immutable function is not inlined (5 times slower).
create or replace function wm.netstring(t text) returns text
  language sql immutable parallel safe
  as $$ select octet_length(coalesce(t, ''))::text || ':' || coalesce(t, '') || ',' $$;

-- The head of the tenant's chain, locked until the end of the transaction: whoever holds it numbers. No row: somebody else holds it, and
-- p_wait is false. Whoever holds heads of several tenants waits for nobody.
create or replace function wm.lock_ledger_head(p_tenant uuid, p_wait boolean) returns table (seq bigint, hash bytea)
  language plpgsql
  as $$
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
end $$;

-- Numbers up to about p_limit events of the tenants, oldest first, sharing the limit among them; fewer when they are large.
-- done: how many; more: some of them have more waiting than was taken; reached: up to which intake id the last tenant is numbered;
-- counts: the events by kind, label and reason, with their seconds, so that metrics come from the record: every committed event passes
-- here exactly once, whichever process wrote it.
-- The plan is pinned to index scans: statistics of a table whose rows live for milliseconds say nothing.
create or replace function wm.number_tenants(p_tenants uuid[], p_limit integer, p_wait boolean,
    out done integer, out more boolean, out reached bigint, out counts json)
  language plpgsql
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
  as $$
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
end $$;

-- Up to p_most tenants after p_after that have something in the intake, but for those of p_without. A walk from tenant to tenant, so it
-- costs as much as there are tenants with news, however many rows they have.
create or replace function wm.tenants_with_news(p_after uuid, p_without uuid[], p_most integer) returns setof uuid
  language sql stable
  as $$
  with recursive news(tenant_id, n) as (
    (select i.tenant_id, 1 from wm.intake i where p_after is null or i.tenant_id > p_after order by i.tenant_id limit 1)
    union all
    select (select i.tenant_id from wm.intake i where i.tenant_id > w.tenant_id order by i.tenant_id limit 1),
           w.n + case when w.tenant_id = any (p_without) then 0 else 1 end
      from news w where w.tenant_id is not null and w.n <= p_most
  )
  select w.tenant_id from news w where w.tenant_id is not null and (p_without is null or w.tenant_id <> all (p_without)) limit p_most
$$;

-- One pass over the tenants with news behind p_after, as many as one transaction should hold. All of them in one go; when that fails, each
-- for itself, so that a tenant whose events cannot be numbered is named in `failed` and holds up nobody else.
-- last: the tenant to go on behind; null when the pass came to the end of the list.
create or replace function wm.number_pass(p_limit integer, p_after uuid, p_without uuid[],
    out done integer, out more boolean, out counts json, out failed json, out last uuid)
  language plpgsql
  as $$
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
end $$;

-- What waits in the intake, event by event, for the few who must see their own transaction's events, or may not wait for numbers.
create or replace view wm.unnumbered with (security_invoker = true) as
  select i.tenant_id, i.id as intake_id, x.n, i.decided_at, x.kind, x.subject_id, x.root_id, x.principal, x.payload::json as payload, x.diff::json as diff, x.message
    from wm.intake i
   cross join lateral unnest(i.kinds, i.subject_ids, i.root_ids, i.principals, i.payloads, i.diffs, i.messages) with ordinality
         as x(kind, subject_id, root_id, principal, payload, diff, message, n);
grant select on wm.unnumbered to wm_app, wm_system;

-- Names of earlier versions, whose processes cannot work on this schema anyway.
drop function if exists wm.sequence_facts(integer, boolean);
