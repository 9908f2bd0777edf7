/** Abilities: what a key may do. `family:verb`; the grant `family:*` is every ability of the family, `*` every one there is. */

export interface AbilitySpec {
  /** Heading under which the reference shows the operations that ask for it. */
  readonly group: string
  /** One sentence: what it allows. */
  readonly says: string
}

export type AbilityName = `${string}:${string}`

export const familyOf = (ability: string): string => ability.slice(0, ability.indexOf(':'))

/** Every family once, as the grant of all of it. */
export const familyGrants = (abilities: readonly string[]): string[] => [...new Set(abilities.map((name) => `${familyOf(name)}:*`))]

/** True when `granted` (which may hold the grants of families such as `work:*`) includes `wanted`. */
export function holdsGrant(granted: readonly string[], wanted: string): boolean {
  return granted.includes(wanted) || granted.includes(`${familyOf(wanted)}:*`) || granted.includes('*')
}
