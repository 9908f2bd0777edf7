/** What the contract says about one noun: its machine, its events, its abilities. A system is a list of nouns. */
import type { AbilityName, AbilitySpec } from './abilities.ts'
import type { EventSpec } from './events.ts'
import type { Machine } from './machine.ts'

/** Rows that are written once, judged, and never change. They have no machine: each status is its own beginning and end. */
export interface WrittenOnce {
  readonly title: string
  readonly doc: string
  /** Status → who writes it. */
  readonly statuses: Readonly<Record<string, string>>
}

export interface Noun {
  readonly noun: string
  readonly machine?: Machine
  readonly writtenOnce?: WrittenOnce
  readonly events?: Readonly<Record<string, EventSpec>>
  readonly abilities?: Readonly<Record<AbilityName, AbilitySpec>>
}

export const defineNoun = <const N extends Noun>(noun: N): N => noun

export type KindsOf<N extends Noun> = N extends { events: infer Events } ? keyof Events & string : never
export type AbilitiesOf<N extends Noun> = N extends { abilities: infer Abilities } ? keyof Abilities & string : never
export type MachinesOf<N extends Noun> = {
  readonly [Each in Extract<N, { machine: Machine }> as Each['noun']]: Each['machine']
}

function merge<Value>(nouns: readonly Noun[], rowsOf: (noun: Noun) => Readonly<Record<string, Value>> | undefined): Record<string, Value> {
  const all: Record<string, Value> = {}
  for (const noun of nouns)
    for (const [name, value] of Object.entries(rowsOf(noun) ?? {})) {
      if (Object.hasOwn(all, name)) throw new Error(`'${name}' is defined twice, the second time by the noun '${noun.noun}'.`)
      all[name] = value
    }
  return all
}

export const mergeEvents = <N extends Noun>(nouns: readonly N[]) =>
  merge(nouns, (noun) => noun.events) as Readonly<Record<KindsOf<N>, EventSpec>>
export const mergeAbilities = <N extends Noun>(nouns: readonly N[]) =>
  merge(nouns, (noun) => noun.abilities) as Readonly<Record<AbilitiesOf<N>, AbilitySpec>>
export const mergeMachines = <N extends Noun>(nouns: readonly N[]) =>
  merge(nouns, ({ noun, machine }) => machine && { [noun]: machine }) as MachinesOf<N>
