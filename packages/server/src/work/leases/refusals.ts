import type { ErrorCode } from '@work-manager/contract'

/** What every verb of an item that is held refuses with, when the caller does not hold it (any more). */
export const leaseRefusals = [
  'lease_token_required',
  'lease_error',
  'lease_expired',
  'lease_lost',
  'already_submitted',
  'paused',
] as const satisfies readonly ErrorCode[]
