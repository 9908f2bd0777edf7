-- The answers that are kept for the keys; n: which of them.
create or replace function wm.kept_answers(p_tenant uuid, p_principals text[], p_operations text[], p_keys bytea[])
  returns table (n integer, fingerprint bytea, status integer, body text, expires_at timestamptz)
  language plpgsql
  as $$
begin
  perform set_config('wm.tenant_id', p_tenant::text, true);
  return query
    select u.place::integer, k.fingerprint, k.status, k.body, k.expires_at
      from unnest(p_principals, p_operations, p_keys) with ordinality as u(who, operation, key, place) cross join lateral (
        select i.fingerprint, i.status, i.body, i.expires_at from wm.idempotency i
         where i.tenant_id = p_tenant and i.principal = u.who and i.operation = u.operation and i.key_hash = u.key limit 1) k;
end $$;
drop function if exists wm.kept_answer(uuid, text, text, bytea);
