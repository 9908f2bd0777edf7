import { WorkError } from '@work-manager/contract'
import type { Principal } from '../kernel/principal.ts'

/**
 * A key gives away no more than its maker has, made or rotated; and only a person makes a person, or an agent could decide by a puppet.
 * Refuses with: scope_missing, agents_cannot_decide.
 */
export function assertMayGrant(principal: Principal, grant: { readonly kind: string; readonly abilities: readonly string[] }): void {
  const beyond = grant.abilities.find(
    (ability) => !['*', ability, `${ability.split(':')[0]}:*`].some((held) => principal.abilities.includes(held)),
  )
  if (beyond) throw new WorkError('scope_missing', { detail: `You cannot grant '${beyond}', because your own key does not hold it.` })
  if (grant.kind === 'person' && principal.kind !== 'person' && principal.kind !== 'system')
    throw new WorkError('agents_cannot_decide', {
      detail: `The key belongs to ${principal.kind === 'agent' ? 'an agent' : 'a service'}; only a person can make or rotate the key of a person.`,
    })
}
