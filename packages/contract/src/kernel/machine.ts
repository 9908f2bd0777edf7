/**
 * A state machine is one table: state → { doc, rescued_by, tags, to: { next state: who moves it there } }. From it come the
 * picture in docs/lifecycle.md, the trigger in the database (routines/00_guards.sql), the moves that compile (`Next`) and every
 * list of states that code asks by (`tags`).
 */

export interface StateSpec {
  /** What it means to be here, for a reader who sees the word for the first time. */
  readonly doc: string
  /** The background services that move it on, or tell somebody, when nobody does. Empty when only a caller can. */
  readonly rescued_by: readonly string[]
  /** What code asks about states: `open`, `settled` … Never a list of states by hand. */
  readonly tags?: readonly string[]
  /** Next state → who moves it there. Empty: final. */
  readonly to: Readonly<Record<string, string>>
}

export interface Machine {
  readonly noun: string
  /** How the reference calls several of them. */
  readonly title: string
  /** Table of schema `wm` whose column `state` the database guards. */
  readonly table: string
  readonly initial: string
  /** Who makes a new one. */
  readonly enters: string
  readonly states: Readonly<Record<string, StateSpec>>
}

export type StateOf<M extends Machine> = keyof M['states'] & string
/** The states that one step leads to; of a union of states, what any of them leads to. */
export type Next<M extends Machine, From> = From extends keyof M['states'] ? keyof M['states'][From]['to'] & string : never
export type TagOf<M extends Machine> = {
  [S in keyof M['states']]: M['states'][S] extends { tags: readonly (infer T extends string)[] } ? T : never
}[keyof M['states']]
export type StatesTagged<M extends Machine, Tag extends string> = {
  [S in StateOf<M>]: M['states'][S] extends { tags: readonly (infer T)[] } ? (Tag extends T ? S : never) : never
}[StateOf<M>]

/** Every move must lead to a state of the same table. */
type Closed<M extends Machine> = {
  readonly initial: keyof M['states']
  readonly states: {
    readonly [S in keyof M['states']]: {
      readonly to: { readonly [T in keyof M['states'][S]['to']]: T extends keyof M['states'] ? string : never }
    }
  }
}

export const defineMachine = <const M extends Machine>(machine: M & Closed<M>): M => machine

/** The states that carry `tag`, in the order of the table. */
export function statesTagged<const M extends Machine, Tag extends TagOf<M>>(machine: M, tag: Tag): ReadonlyArray<StatesTagged<M, Tag>> {
  return Object.entries(machine.states).flatMap(([state, { tags }]) => (tags?.includes(tag) ? [state as StatesTagged<M, Tag>] : []))
}

export type TagTests<M extends Machine> = { readonly [Tag in TagOf<M>]: (state: StateOf<M>) => state is StatesTagged<M, Tag> }

/** The questions to ask of a state, one for each tag: `orderIs.open(state)`. */
export function tagTests<const M extends Machine>(machine: M): TagTests<M> {
  const tests: Record<string, (state: string) => boolean> = {}
  for (const tag of new Set(Object.values(machine.states).flatMap(({ tags = [] }) => tags))) {
    const tagged = new Set<string>(statesTagged(machine, tag as TagOf<M>))
    tests[tag] = (state) => tagged.has(state)
  }
  return tests as TagTests<M>
}

export const statesOf = <M extends Machine>(machine: M): ReadonlyArray<StateOf<M>> => Object.keys(machine.states)

/** The states that `to` can be reached from in one step. */
export type Sources<M extends Machine, To extends string> = {
  [S in StateOf<M>]: To extends keyof M['states'][S]['to'] ? S : never
}[StateOf<M>]
export function sourcesOf<const M extends Machine, const To extends StateOf<M>>(machine: M, to: To): ReadonlyArray<Sources<M, To>> {
  return Object.entries(machine.states).flatMap(([state, spec]) => (Object.hasOwn(spec.to, to) ? [state as Sources<M, To>] : []))
}
