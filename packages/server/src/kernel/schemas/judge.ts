/**
 * Judges values by a compiled JSON Schema. It counts what it does, so that a value which would take too long is given up at a known
 * point, by number and not by clock; it makes no code of schemas, and looks only at own members of values.
 */

/** Given up: the value takes more steps than it was given. */
export class OutOfSteps extends Error {
  /** More steps would not help: it is nested too deeply. */
  readonly isFinal: boolean
  constructor(isFinal = false) {
    super('out of steps')
    this.isFinal = isFinal
  }
}

/** What is wrong at one place: the keyword that says so, and what it asked for. */
export interface Problem {
  readonly keyword: string
  readonly path: readonly string[]
  readonly params: Readonly<Record<string, unknown>>
}

/** A part of the schema with an `$id` of its own; `$dynamicRef` asks who was entered first. */
export interface Resource {
  readonly dynamicAnchors: Map<string, Node>
}

interface Scope {
  readonly resource: Resource
  readonly outer: Scope | null
}

export type Check = (value: unknown, run: Run, seen: Seen | null) => boolean

/** A compiled schema. Its checks are added after it is made, because schemas refer to each other in circles. */
export interface Node {
  readonly pointer: string
  readonly resource: Resource
  /** In order. */
  readonly checks: Check[]
  /** Of what no other keyword has looked at; not asked when one of the others fails, which looked at things too. */
  readonly lastChecks: Check[]
}

/** The alternatives that a value may fit by the kind that it says it is of; the others cannot fit. */
export interface Kinds {
  readonly tag: string
  readonly byTag: ReadonlyMap<unknown, readonly Node[]>
}

/** Which members and items of one value some keyword has looked at. */
export class Seen {
  names: Set<string> | null = null
  allNames = false
  /** Items before this one … */
  itemsBefore = 0
  /** … and these. */
  items: Set<number> | null = null

  name(name: string): void {
    if (!this.allNames) (this.names ??= new Set()).add(name)
  }
  hasName(name: string): boolean {
    return this.allNames || (this.names?.has(name) ?? false)
  }
  hasItem(index: number): boolean {
    return index < this.itemsBefore || (this.items?.has(index) ?? false)
  }
  add(other: Seen): void {
    if (other.allNames) this.allNames = true
    else for (const name of other.names ?? []) this.name(name)
    this.itemsBefore = Math.max(this.itemsBefore, other.itemsBefore)
    for (const index of other.items ?? []) (this.items ??= new Set()).add(index)
  }
}

/** Nested calls: values are at most 64 deep, so that only schemas that refer a long way on at each level come here. */
const deepest = 1_000

/** One judgement of one value. */
export class Run {
  /** Null: only whether it fits is asked. */
  problems: Problem[] | null
  readonly path: string[] = []
  scope: Scope
  private left: number
  private depth = 0
  private readonly mostProblems: number

  constructor(root: Node, options: { steps: number; explain?: boolean; mostProblems?: number }) {
    this.scope = { resource: root.resource, outer: null }
    this.left = options.steps
    this.problems = options.explain ? [] : null
    this.mostProblems = options.mostProblems ?? 50
  }

  /** Counts work. Throws OutOfSteps when there is none left. */
  spend(steps: number): void {
    this.left -= steps
    if (this.left < 0) throw new OutOfSteps()
  }

  /** How many steps are left. */
  get remaining(): number {
    return this.left
  }

  /** Enough is said: what comes now is not looked for. */
  get isFull(): boolean {
    return this.problems === null || this.problems.length >= this.mostProblems
  }

  /** Says what is wrong here, or in the member `at` of it. Always false, to be returned. */
  fail(keyword: string, params: Problem['params'] = {}): false {
    if (this.problems && this.problems.length < this.mostProblems) this.problems.push({ keyword, path: [...this.path], params })
    return false
  }

  judge(node: Node, value: unknown, seen: Seen | null): boolean {
    this.spend(1)
    if (++this.depth > deepest) throw new OutOfSteps(true)
    const before = this.scope
    if (node.resource !== before.resource) this.enter(node.resource)
    const own = node.lastChecks.length > 0 ? new Seen() : seen
    const fits = this.all(node.checks, value, own) && this.all(node.lastChecks, value, own)
    if (fits && seen && own && own !== seen) seen.add(own)
    this.scope = before
    this.depth--
    return fits
  }

  /** Once is enough: only who was entered first is ever asked for. */
  private enter(resource: Resource): void {
    for (let scope: Scope | null = this.scope; scope; scope = scope.outer) {
      this.spend(1)
      if (scope.resource === resource) return
    }
    this.scope = { resource, outer: this.scope }
  }

  private all(checks: readonly Check[], value: unknown, seen: Seen | null): boolean {
    let fits = true
    for (const check of checks) {
      if (check(value, this, seen)) continue
      fits = false
      if (this.isFull) break
    }
    return fits
  }

  /** The same for a member or an item. */
  judgeInner(node: Node, value: unknown, at: string | number): boolean {
    if (this.problems === null) return this.judge(node, value, null)
    this.path.push(String(at))
    const fits = this.judge(node, value, null)
    this.path.pop()
    return fits
  }

  /** Whether it fits, and nothing said about it. */
  fits(node: Node, value: unknown, seen: Seen | null = null): boolean {
    const { problems } = this
    this.problems = null
    const fits = this.judge(node, value, seen)
    this.problems = problems
    return fits
  }

  /** A branch of its own: what it has seen counts only when it fits. */
  branch(node: Node, value: unknown, seen: Seen | null): boolean {
    if (!seen) return this.judge(node, value, null)
    const own = new Seen()
    const fits = this.judge(node, value, own)
    if (fits) seen.add(own)
    return fits
  }

  /** What a branch says is wrong, kept apart. */
  problemsOf(node: Node, value: unknown): Problem[] {
    const { problems } = this
    const found: Problem[] = (this.problems = [])
    this.judge(node, value, null)
    this.problems = problems
    return found
  }

  /** Where `$dynamicRef` leads: the outermost resource that was entered and names this anchor. */
  outermost(anchor: string, otherwise: Node): Node {
    let found = otherwise
    for (let scope: Scope | null = this.scope; scope; scope = scope.outer) {
      this.spend(1)
      found = scope.resource.dynamicAnchors.get(anchor) ?? found
    }
    return found
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Values that code made may hold `undefined`, which JSON has not: such a member is not there. */
export const hasMember = (value: Record<string, unknown>, name: string): boolean => Object.hasOwn(value, name) && value[name] !== undefined

/** Names of members, counted. */
export function memberNames(value: Record<string, unknown>, run: Run): string[] {
  const names = Object.keys(value)
  // One that is looked for in an object of a hundred thousand costs more than one in a small object.
  run.spend(names.length * 4)
  return names.some((name) => value[name] === undefined) ? names.filter((name) => value[name] !== undefined) : names
}

/** Cheaper than to look at each. */
export function countMembers(value: Record<string, unknown>, run: Run): number {
  const names = Object.keys(value)
  run.spend(names.length >> 3)
  return names.some((name) => value[name] === undefined) ? names.filter((name) => value[name] !== undefined).length : names.length
}

const escaped = (text: string): string => JSON.stringify(text)

/** A text that two JSON values share exactly when they are equal; its size is counted. */
export function equalityKey(value: unknown, run?: Run): string {
  run?.spend(1 + (typeof value === 'string' ? value.length >> 4 : 0))
  if (typeof value === 'string') return escaped(value)
  if (typeof value !== 'object' || value === null) return String(value === 0 ? 0 : value)
  if (Array.isArray(value)) return `[${value.map((item) => equalityKey(item, run)).join(',')}]`
  const names = Object.keys(value).filter((name) => (value as Record<string, unknown>)[name] !== undefined)
  run?.spend(names.length * 4)
  const members = names.toSorted().map((name) => `${escaped(name)}:${equalityKey((value as Record<string, unknown>)[name], run)}`)
  return `{${members.join(',')}}`
}
