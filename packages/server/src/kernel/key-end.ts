/** A key that ended while its holder was being served. */
import { WorkError } from '@work-manager/contract'

export type KeyEnd = 'revoked' | 'expired' | 'suspended'

const said: Record<KeyEnd, string> = {
  revoked: 'The key was revoked while the request waited.',
  expired: 'The key expired while the request waited.',
  suspended: 'The tenant of this key was suspended while the request waited.',
}

export const keyEndRefusal = (why: KeyEnd): WorkError =>
  new WorkError(why === 'expired' ? 'key_expired' : 'key_revoked', { detail: said[why] })
