/** Keywords that hand a value, its members or its items on to other schemas. */
import { explainAlternatives } from './alternatives.ts'
import { matches } from './assertions.ts'
import { type Check, hasMember, isRecord, type Kinds, memberNames, type Node, type Run, Seen } from './judge.ts'
import type { LinearRegExp } from './linear-regexp.ts'

export interface MemberSchemas {
  readonly properties: ReadonlyMap<string, Node>
  readonly patterns: readonly (readonly [LinearRegExp, Node])[]
  readonly additional: Node | null
  /** Names to suggest for one that is not accepted. */
  readonly known: readonly string[]
}

/** `additionalProperties` first: a misspelt name is said before what is missing inside. */
export function membersCheck({ properties, patterns, additional, known }: MemberSchemas): Check {
  const named = [...properties]
  return (value, run, seen) => {
    if (!isRecord(value)) return true
    let fits = true
    // Whatever the others are, nothing is asked of them.
    const takesAll = additional !== null && patterns.length === 0 && takesAnything(additional)
    if (takesAll && seen) seen.allNames = true
    if (!takesAll && (additional !== null || patterns.length > 0)) {
      for (const name of memberNames(value, run)) {
        let isKnown = properties.has(name)
        for (const [pattern, node] of patterns) {
          if (!matches(pattern, name, run)) continue
          isKnown = true
          seen?.name(name)
          if (!run.judgeInner(node, value[name], name)) fits = false
        }
        if (!isKnown && additional) {
          seen?.name(name)
          if (!judgeUnknown('additionalProperties', additional, value[name], name, known, run)) fits = false
        }
        if (!fits && run.isFull) return false
      }
    }
    run.spend(named.length >> 2)
    for (const [name, node] of named) {
      if (!hasMember(value, name)) continue
      seen?.name(name)
      if (run.judgeInner(node, value[name], name)) continue
      fits = false
      if (run.isFull) return false
    }
    return fits
  }
}

const takesAnything = (node: Node): boolean => node.checks.length === 0 && node.lastChecks.length === 0

const refusesAll = (node: Node): boolean => node.checks.length === 1 && node.checks[0] === nothingFits

/** What `false` says. */
export const nothingFits: Check = (_, run) => run.fail('false schema')

function judgeUnknown(keyword: string, node: Node, value: unknown, name: string, known: readonly string[], run: Run): boolean {
  if (refusesAll(node)) return run.fail(keyword, { name, known })
  return run.judgeInner(node, value, name)
}

export function unevaluatedProperties(node: Node, known: readonly string[]): Check {
  return (value, run, seen) => {
    if (!isRecord(value) || !seen) return true
    let fits = true
    for (const name of memberNames(value, run)) {
      if (seen.hasName(name)) continue
      if (judgeUnknown('unevaluatedProperties', node, value[name], name, known, run)) continue
      fits = false
      if (run.isFull) return false
    }
    seen.allNames = true
    return fits
  }
}

export function propertyNames(node: Node): Check {
  return (value, run) => {
    if (!isRecord(value)) return true
    let fits = true
    for (const name of memberNames(value, run)) {
      if (run.fits(node, name)) continue
      fits = run.fail('propertyNames', { propertyName: name })
      if (run.isFull) return false
    }
    return fits
  }
}

export function dependentSchemas(entries: readonly (readonly [string, Node])[]): Check {
  return (value, run, seen) => {
    if (!isRecord(value)) return true
    let fits = true
    for (const [name, node] of entries) if (hasMember(value, name) && !run.branch(node, value, seen)) fits = false
    return fits
  }
}

export function itemsCheck(prefix: readonly Node[], rest: Node | null): Check {
  return (value, run, seen) => {
    if (!Array.isArray(value)) return true
    const end = rest ? value.length : Math.min(prefix.length, value.length)
    let fits = true
    const asked = rest && takesAnything(rest) ? Math.min(prefix.length, value.length) : end
    for (let i = 0; i < asked; i++) {
      if (run.judgeInner(prefix[i] ?? rest!, value[i], i)) continue
      fits = false
      if (run.isFull) return false
    }
    if (seen) seen.itemsBefore = Math.max(seen.itemsBefore, end)
    return fits
  }
}

export function contains(node: Node, minContains: number, maxContains: number): Check {
  return (value, run, seen) => {
    if (!Array.isArray(value)) return true
    let found = 0
    for (const [i, item] of value.entries()) {
      if (!run.fits(node, item)) continue
      found++
      if (seen) (seen.items ??= new Set()).add(i)
      else if (found >= minContains && maxContains === Number.POSITIVE_INFINITY) return true
    }
    return (found >= minContains && found <= maxContains) || run.fail('contains', { minContains, maxContains })
  }
}

export function unevaluatedItems(node: Node): Check {
  return (value, run, seen) => {
    if (!Array.isArray(value) || !seen) return true
    let fits = true
    for (let i = seen.itemsBefore; i < value.length; i++) {
      run.spend(1)
      if (seen.hasItem(i)) continue
      if (refusesAll(node) ? run.fail('unevaluatedItems', { index: i }) : run.judgeInner(node, value[i], i)) continue
      fits = false
      if (run.isFull) return false
    }
    seen.itemsBefore = value.length
    return fits
  }
}

export const all =
  (nodes: readonly Node[]): Check =>
  (value, run, seen) => {
    let fits = true
    for (const node of nodes) {
      if (run.branch(node, value, seen)) continue
      fits = false
      if (run.isFull) return false
    }
    return fits
  }

function possible(nodes: readonly Node[], kinds: Kinds | null, value: unknown, run: Run): readonly Node[] {
  if (!kinds || !isRecord(value)) return nodes
  run.spend(4)
  return (hasMember(value, kinds.tag) && kinds.byTag.get(value[kinds.tag])) || []
}

export function anyOf(nodes: readonly Node[], kinds: Kinds | null, discriminator: string | null): Check {
  return (value, run, seen) => {
    let fits = false
    for (const node of possible(nodes, kinds, value, run)) {
      const { problems } = run
      run.problems = null
      if (run.branch(node, value, seen)) fits = true
      run.problems = problems
      // All that fit have a say in what was looked at.
      if (fits && !seen) return true
    }
    return fits || (run.isFull ? false : explainAlternatives('anyOf', nodes, kinds, discriminator, value, run))
  }
}

export function oneOf(nodes: readonly Node[], kinds: Kinds | null, discriminator: string | null): Check {
  return (value, run, seen) => {
    let fitting = 0
    let own: Seen | null = null
    for (const node of possible(nodes, kinds, value, run)) {
      const tried = seen ? new Seen() : null
      if (!run.fits(node, value, tried)) continue
      own = tried
      if (++fitting > 1) return run.fail('oneOf', { fitsSeveral: true })
    }
    if (fitting === 0) return run.isFull ? false : explainAlternatives('oneOf', nodes, kinds, discriminator, value, run)
    if (own) seen?.add(own)
    return true
  }
}

export const not =
  (node: Node): Check =>
  (value, run) =>
    // A schema in `not` may itself ask what was looked at: it gets a record of its own.
    !run.fits(node, value) || run.fail('not')

export function ifThenElse(condition: Node, then: Node | null, otherwise: Node | null): Check {
  return (value, run, seen) => {
    const own = seen ? new Seen() : null
    const holds = run.fits(condition, value, own)
    if (holds && own) seen?.add(own)
    const next = holds ? then : otherwise
    return !next || run.branch(next, value, seen)
  }
}

export const refer =
  (target: () => Node): Check =>
  (value, run, seen) =>
    run.branch(target(), value, seen)

export const referDynamically =
  (target: () => Node, anchor: string): Check =>
  (value, run, seen) =>
    run.branch(run.outermost(anchor, target()), value, seen)
