/**
 * The roles that the login takes on; none owns anything, none bypasses row security. `wm_app` sees one tenant, `wm_system` all of them,
 * `wm_window` the tenants that its one statement names (migrations/routines/25_windows.sql).
 */
export const runtimeRoles = ['wm_app', 'wm_system', 'wm_window'] as const
