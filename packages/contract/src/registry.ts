/** Everything that the nouns of all systems bring, as one registry each: machines, kinds of events, abilities. */
import * as access from './access/index.ts'
import * as housekeeping from './housekeeping/index.ts'
import { type AbilitySpec, familyGrants, holdsGrant } from './kernel/abilities.ts'
import type { EventPriority, EventSpec } from './kernel/events.ts'
import type { Machine } from './kernel/machine.ts'
import { type AbilitiesOf, type KindsOf, mergeAbilities, mergeEvents, mergeMachines, nounsOf } from './kernel/noun.ts'
import * as ledger from './ledger/index.ts'
import * as work from './work/index.ts'

export const nouns = [...nounsOf(work), ...nounsOf(access), ...nounsOf(ledger), ...nounsOf(housekeeping)] as const
type AnyNoun = (typeof nouns)[number]

/** The state machines, by noun. */
export const machines = mergeMachines(nouns)
export type MachineNoun = keyof typeof machines

/** The states reachable from `state` in one step. */
export function allowedFrom(noun: MachineNoun, state: string): string[] {
  const { states }: Machine = machines[noun]
  return Object.keys(states[state]?.to ?? {})
}

/** Every kind of event that the record can hold: what it says, how long it is kept, whose it is and what it is kept in order with. */
export type EventKind = KindsOf<AnyNoun>
export const eventSpecs: Readonly<Record<EventKind, EventSpec>> = mergeEvents(nouns)
/** The state in which an event leaves its subject: that of its name, unless the kind says another; null when it moves nothing. */
export function stateAfter(kind: EventKind): string | null {
  const { subject, leaves_in }: EventSpec = eventSpecs[kind]
  const states = (machines as Readonly<Record<string, Machine>>)[subject]?.states ?? {}
  const name = kind.slice(subject.length + 1)
  return leaves_in ?? (Object.hasOwn(states, name) ? name : null)
}

export const eventPriority = (kind: EventKind): EventPriority => eventSpecs[kind].priority

export type Ability = AbilitiesOf<AnyNoun>
export const abilities: Readonly<Record<Ability, AbilitySpec>> = mergeAbilities(nouns)
/** Every family as a grant: `work:*`, `admin:*` …; together they are what a person who runs everything holds. */
export const everyFamily: readonly string[] = familyGrants(Object.keys(abilities))
/** Everything that a key can be granted: whole families, all of them (`*`), and single abilities. */
export const grants: readonly string[] = [...everyFamily, '*', ...Object.keys(abilities)]
/** True when `granted`, which may hold families, includes `wanted`. */
export const holdsAbility: (granted: readonly string[], wanted: Ability) => boolean = holdsGrant

/** The headings of the reference, in the order in which it shows them. */
export const abilityGroups: readonly string[] = [
  ...new Set([...work.workAbilityGroups, ...Object.values<AbilitySpec>(abilities).map(({ group }) => group)]),
]
