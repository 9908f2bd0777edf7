/** What an apply changed: before, after, and per top-level key whether it was added, modified or removed. */
import type { Diff } from '@work-manager/contract'
import { canonicalJson } from '../../kernel/canonical-json.ts'

/**
 * Compares two records key by key (not deeply). Two values are equal when their canonical JSON is, so reordered keys are no change.
 */
export function makeDiff(before: Record<string, unknown>, after: Record<string, unknown>, summary?: string): Diff {
  const changes: [string, unknown][] = []
  for (const [key, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, key)) changes.push([key, { type: 'added', value }])
    else if (canonicalJson(before[key]) !== canonicalJson(value)) changes.push([key, { type: 'modified', from: before[key], to: value }])
  }
  for (const [key, value] of Object.entries(before)) if (!Object.hasOwn(after, key)) changes.push([key, { type: 'removed', value }])
  return { before, after, changes: Object.fromEntries(changes), summary: summary ?? null }
}
