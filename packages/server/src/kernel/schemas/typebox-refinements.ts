/** What TypeBox schemas carry beside their JSON: refinements are run where they stand, what would change values is refused. */
import type { Check } from './judge.ts'
import { SchemaRefusedError } from './schema-refused.ts'

interface Refinement {
  check(value: unknown): boolean
  error(value: unknown): string
}

/** By the pointer of the schema that they were put on. Refuses with: SchemaRefusedError for codecs. */
export function refinementsOf(schema: object): Map<string, Check[]> {
  const found = new Map<string, Check[]>()
  const open = new Set<object>()
  const look = (at: unknown, pointer: string): void => {
    // Circles are refused elsewhere, with advice.
    if (typeof at !== 'object' || at === null || open.has(at)) return
    open.add(at)
    if (Object.hasOwn(at, '~codec'))
      throw new SchemaRefusedError('A codec changes values; values are judged and never changed', {
        pointer,
        keyword: '~codec',
        advice: 'Describe the value as it is sent, and convert it in plan, verify or apply.',
      })
    const refinements = (at as { '~refine'?: readonly Refinement[] })['~refine']
    if (Array.isArray(refinements)) found.set(pointer, refinements.map(refine))
    for (const [key, value] of Object.entries(at)) look(value, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
    open.delete(at)
  }
  look(schema, '')
  return found
}

function refine(refinement: Refinement): Check {
  return (value, run) => {
    if (refinement.check(value)) return true
    return run.problems === null ? false : run.fail('refine', { message: refinement.error(value) })
  }
}
