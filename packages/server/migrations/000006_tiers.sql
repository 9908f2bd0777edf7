-- What a tenant is entitled to: how many requests each of its principals may send (settings rate_limits.*_per_minute).
alter table wm.tenants
  add column tier text not null default 'default' check (tier in ('enterprise', 'professional', 'default', 'free'));
grant update (tier) on wm.tenants to wm_system;
