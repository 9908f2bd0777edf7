-- The fences of a table that holds tenants' rows, in one call for every migration from here on.

-- call wm.tenant_table('sprints');
-- call wm.tenant_table('sprints', p_app => 'select, insert, update (state, updated_at)', p_system => 'select, delete');
-- Row security on and forced; wm_app reads and writes one tenant's rows only, wm_system all; then the grants, as after `grant`.
-- Nobody may delete unless the call says so. For the owner in a migration: no security definer, and nobody else may call it.
create procedure wm.tenant_table(p_table text, p_app text default 'select, insert, update', p_system text default 'select')
  language plpgsql set search_path = pg_catalog, pg_temp
  as $$
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
end $$;
revoke all on procedure wm.tenant_table(text, text, text) from public;
