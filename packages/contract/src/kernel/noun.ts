/** What the contract says about one noun: its machine, its events, its abilities. A system exports its nouns. */
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

export type Defined<N extends Noun> = N & { readonly isNoun: true }

export const defineNoun = <const N extends Noun>(noun: N): Defined<N> => ({ ...noun, isNoun: true })

/**
 * The nouns among what a system exports, so that one more is its file and one line that exports it. Those that others are parts of
 * stand first in the references, the rest by name.
 */
export function nounsOf<const M extends object>(system: M): ReadonlyArray<Extract<M[keyof M], Defined<Noun>>> {
  const nouns = Object.values(system).filter(
    (each): each is Extract<M[keyof M], Defined<Noun>> => typeof each === 'object' && each !== null && 'isNoun' in each,
  )
  const roots = new Set(
    nouns.flatMap(({ noun, events = {} }: Noun) => Object.values(events).flatMap(({ root }) => (root === noun ? [] : [root]))),
  )
  return nouns.toSorted((a, b) => Number(roots.has(b.noun)) - Number(roots.has(a.noun)) || (a.noun < b.noun ? -1 : 1))
}

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
