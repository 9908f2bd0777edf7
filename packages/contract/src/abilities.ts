/** What a key may do. `work:*` grants every ability of the group. */
export const abilities = {
  'work:propose': 'Propose and plan orders.',
  'work:view': 'Read orders, items, parts, logs, types and records.',
  'work:checkout': 'Take items under a lease.',
  'work:heartbeat': 'Extend a lease.',
  'work:submit': 'Hand in results and parts, finalize, fail, release.',
  'work:approve': 'Approve orders (people only).',
  'work:reject': 'Reject orders (people only).',
  'work:cancel': 'Cancel orders.',
  'work:requeue': 'Bring failed, rejected and dead-lettered work back.',
  'admin:keys': 'Create, list, rotate and revoke keys.',
  'admin:leases': 'End, extend and reclaim leases of others (people only).',
  'admin:pause': 'Pause and resume agents, types and the tenant, and list pauses (people only).',
  'admin:publishers': 'See publishers and what their receivers refused; retry, discard, rewind and skip (people only).',
  'admin:maintenance': 'Run generators and housekeeping, delete old idempotency keys (people only).',
} as const

export type Ability = keyof typeof abilities

/** True when `granted` (which may hold group grants such as `work:*`) includes `wanted`. */
export function holdsAbility(granted: readonly string[], wanted: Ability): boolean {
  const group = wanted.slice(0, wanted.indexOf(':'))
  return granted.includes(wanted) || granted.includes(`${group}:*`) || granted.includes('*')
}
