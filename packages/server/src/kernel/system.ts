/** What a noun brings with its folder, and a system with its nouns. Doors, composition, references and tests loop over it. */
import type { Config } from '../config/index.ts'
import type { Operation } from './operations/operation.ts'
import type { ServiceDefinition } from './service.ts'
import type { KernelTools } from './tools.ts'

/** Makes a background service; null where this configuration has no use for it. */
export type MakeService<T extends KernelTools> = (tools: T, config: Config) => ServiceDefinition | null

export interface Noun<T extends KernelTools = KernelTools> {
  /** The name of its folder. */
  readonly name: string
  /** In the order of the references. */
  readonly operations?: readonly Operation[]
  /** By the name that each has in the log and in docs/lifecycle.md. */
  readonly services?: Readonly<Record<string, MakeService<T>>>
  /** What a group of its derived commands is for, by its first word, where the word does not say it. */
  readonly commands?: Readonly<Record<string, string>>
}

export interface System<T extends KernelTools = KernelTools> {
  readonly name: string
  /** In the order of the references. */
  readonly nouns: ReadonlyArray<Noun<T>>
}

/** How a system defines its nouns: their services are given the tools `T` of that system. */
export const nounsWith =
  <T extends KernelTools>() =>
  (noun: Noun<T>): Noun<T> =>
    noun

/** For nouns that need nothing but the kernel's tools. */
export const defineNoun = nounsWith<KernelTools>()

export const defineSystem = <T extends KernelTools>(system: System<T>): System<T> => system

/** Refuses with: an Error when two nouns of any systems bring a service of the same name. */
export function servicesOf<T extends KernelTools>(systems: ReadonlyArray<System<T>>): ReadonlyMap<string, MakeService<T>> {
  const all = new Map<string, MakeService<T>>()
  for (const { nouns } of systems)
    for (const { name: noun, services = {} } of nouns)
      for (const [name, make] of Object.entries(services)) {
        if (all.has(name)) throw new Error(`the background service ${name} is brought twice, the second time by the noun ${noun}`)
        all.set(name, make)
      }
  return all
}

/** Refuses with: an Error when two operations have one name or one route. */
export function operationsOf<T extends KernelTools>(systems: ReadonlyArray<System<T>>): readonly Operation[] {
  const all = systems.flatMap(({ nouns }) => nouns.flatMap(({ operations = [] }) => operations))
  const taken = new Map<string, string>()
  for (const { name, http } of all)
    for (const what of [name, ...[http.path, ...(http.aliases ?? [])].map((path) => `${http.method} ${path.replaceAll(/:\w+/g, ':')}`)]) {
      if (taken.has(what)) throw new Error(`${what} is brought twice: by ${taken.get(what)} and by ${name}`)
      taken.set(what, name)
    }
  return all
}
