/** The change record of an apply: shallow, by top-level key, as the predecessor's clients read it. Pure. */
import type { Diff } from '@work-manager/contract'
import { digestOf } from './digest.ts'

const same = (a: unknown, b: unknown): boolean => a === b || (typeof a === 'object' && typeof b === 'object' && digestOf(a) === digestOf(b))

/** Builds {before, after, changes, summary}; objects with reordered keys count as equal. */
export function makeDiff(before: Record<string, unknown>, after: Record<string, unknown>, summary: string | null = null): Diff {
  const changes: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, key)) changes[key] = { type: 'added', value }
    else if (!same(before[key], value)) changes[key] = { type: 'modified', from: before[key], to: value }
  }
  for (const [key, value] of Object.entries(before)) {
    if (!Object.hasOwn(after, key)) changes[key] = { type: 'removed', value }
  }
  return { before, after, changes, summary }
}
