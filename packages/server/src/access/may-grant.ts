import { holdsGrant, WorkError } from '@work-manager/contract'
import type { Principal } from '../kernel/principal.ts'

const beyondOf = (principal: Principal, abilities: readonly string[]): string | undefined =>
  abilities.find((ability) => !holdsGrant(principal.abilities, ability))

/**
 * A key gives away no more than its maker has, made or rotated; and only a person makes a person, or an agent could decide by a puppet.
 * Refuses with: scope_missing, agents_cannot_decide.
 */
export function assertMayGrant(principal: Principal, grant: { readonly kind: string; readonly abilities: readonly string[] }): void {
  const beyond = beyondOf(principal, grant.abilities)
  if (beyond) throw new WorkError('scope_missing', { detail: `You cannot grant '${beyond}', because your own key does not hold it.` })
  if (grant.kind === 'person' && principal.kind !== 'person' && principal.kind !== 'system')
    throw new WorkError('agents_cannot_decide', {
      detail: `The key belongs to ${principal.kind === 'agent' ? 'an agent' : 'a service'}; only a person can make or rotate the key of a person.`,
    })
}

/**
 * A person who manages keys may end any: whoever finds a key in the wrong hands must be able to. An agent or a service ends no key with more
 * rights than its own, and none of a person. Refuses with: scope_missing, agents_cannot_decide.
 */
export function assertMayEnd(principal: Principal, key: { readonly kind: string; readonly abilities: readonly string[] }): void {
  if (principal.kind === 'person' || principal.kind === 'system') return
  if (key.kind === 'person')
    throw new WorkError('agents_cannot_decide', {
      detail: `The key belongs to ${principal.kind === 'agent' ? 'an agent' : 'a service'}; only a person can end the key of a person.`,
    })
  const beyond = beyondOf(principal, key.abilities)
  if (beyond) throw new WorkError('scope_missing', { detail: `That key holds '${beyond}', which your own does not; a person can end it.` })
}
