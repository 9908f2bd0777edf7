/**
 * A failed anyOf/oneOf reports every branch, which reads as a contradiction ("must be string", "must be null"). Here it is said once:
 * as one list of types or values, or as the errors of the one branch that was meant.
 */
import type { ErrorObject } from 'ajv'

/** What several branches ask for together at one place. */
export type Alternatives =
  | { readonly instancePath: string; readonly types: readonly string[] }
  | { readonly instancePath: string; readonly values: readonly unknown[] }
type Said = ErrorObject | Alternatives

const isError = (said: Said): said is ErrorObject => 'schemaPath' in said
const isAlternatives = (error: Said): error is ErrorObject =>
  isError(error) && (error.keyword === 'anyOf' || error.keyword === 'oneOf') && !Array.isArray(error.params['passingSchemas'])

/** The errors of each branch, by its index. Branches behind a $ref report under another path and are not found. */
function branchesOf(outer: ErrorObject, all: readonly Said[]): Map<string, ErrorObject[]> {
  const branches = new Map<string, ErrorObject[]>()
  const prefix = `${outer.schemaPath}/`
  for (const error of all) {
    if (!isError(error) || !error.schemaPath.startsWith(prefix) || !error.instancePath.startsWith(outer.instancePath)) continue
    const index = error.schemaPath.slice(prefix.length).split('/', 1)[0] as string
    branches.set(index, [...(branches.get(index) ?? []), error])
  }
  return branches
}

/** The kind of a branch: its type, or a constant at the value or one level below (`kind: 'circle'`). */
function mismatchOfKind(outer: ErrorObject, branch: readonly ErrorObject[]): ErrorObject | undefined {
  const below = (error: ErrorObject): boolean => /^(\/[^/]*)?$/.test(error.instancePath.slice(outer.instancePath.length))
  return (
    branch.find((e) => e.keyword === 'const' && below(e)) ??
    branch.find((e) => e.keyword === 'type' && e.instancePath === outer.instancePath)
  )
}

function summarise(outer: ErrorObject, branches: readonly ErrorObject[][]): readonly Said[] {
  const mismatches = branches.map((branch) => mismatchOfKind(outer, branch))
  const meant = branches.filter((_, i) => mismatches[i] === undefined)
  if (meant.length === 1) return meant[0] as ErrorObject[]
  const [first] = mismatches
  const together = first !== undefined && mismatches.every((m) => m?.keyword === first.keyword && m.instancePath === first.instancePath)
  if (!together) return [outer]
  if (first.keyword === 'const') return [{ instancePath: first.instancePath, values: mismatches.map((m) => m?.params['allowedValue']) }]
  return [{ instancePath: first.instancePath, types: [...new Set(mismatches.flatMap((m) => [m?.params['type']].flat().map(String)))] }]
}

/** Ajv reports the branches first and the anyOf after them, inner ones before outer ones; so one pass in its order is enough. */
export function collapseAlternatives(errors: readonly ErrorObject[]): Said[] {
  let rest: Said[] = [...errors]
  for (const outer of errors) {
    if (!isAlternatives(outer) || !rest.includes(outer)) continue
    const branches = branchesOf(outer, rest)
    const complete = Array.isArray(outer.schema) && branches.size === outer.schema.length
    const said = complete ? summarise(outer, [...branches.values()]) : [outer]
    const swallowed = new Set<Said>([...branches.values()].flat())
    rest = rest.flatMap((error) => (error === outer ? said : swallowed.has(error) ? [] : [error]))
  }
  return rest
}
