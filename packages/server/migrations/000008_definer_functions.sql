-- Functions that run as their owner must find nothing of the caller's. PostgreSQL looks into pg_temp before everything else unless the
-- path names it: a runtime role could put a view `pg_temp.pg_stat_user_tables` in front, and what it called ran as the owner.
-- Whatever functions stand here, whoever made them: each gets the path. `npm test` asks the catalogue that none is without.
do $$
declare
  f regprocedure;
begin
  for f in select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'wm'::pg_catalog.regnamespace and p.prosecdef loop
    execute pg_catalog.format('alter function %s set search_path = pg_catalog, pg_temp', f);
    execute pg_catalog.format('revoke all on function %s from public', f);
  end loop;
end $$;

create or replace function wm.refresh_statistics() returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
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
end $$;

revoke create on schema wm from public, wm_app, wm_system;
