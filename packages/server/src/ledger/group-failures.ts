/** Failures with the same cause under one heading: what differs from case to case in their messages (ids, numbers, addresses) is taken out. */
import type { FailureEvent } from '../kernel/store/events.ts'

export interface FailurePattern {
  readonly kind: string
  readonly type: string | null
  readonly class: string | null
  readonly code: string | null
  readonly message: string | null
  readonly count: number
  readonly first_seen: string
  readonly last_seen: string
  readonly examples: readonly string[]
}

const longestMessage = 500
const mostExamples = 3

/** A word with digits in it: a long one is an id, a short one holds numbers. */
const withoutDigits = (word: string): string =>
  !/\d/.test(word) ? word : word.length >= 8 && /[A-Za-z]/.test(word) ? '<id>' : word.replace(/\d+/g, '<n>')

/** Every expression passes over the text once, and the text is short: messages are written by agents. */
export function commonMessage(message: string): string {
  return message
    .slice(0, longestMessage)
    .replace(/\s+/g, ' ')
    .replace(/"[^"]*"|`[^`]*`|“[^”]*”|(?<!\w)'[^']*'(?!\w)/g, '<text>')
    .replace(/\b(?:https?|wss?):\/\/\S+/gi, '<url>')
    .replace(/<(?:text|url)>|[\w-]+/g, (word) => (word.startsWith('<') ? word : withoutDigits(word)))
    .replace(/<n>(?:[.,:]<n>)+/g, '<n>')
    .trim()
}

/** `failures` come newest first; so do the patterns, the frequent ones before the others. */
export function groupFailures(failures: readonly FailureEvent[]): FailurePattern[] {
  const groups = new Map<string, FailurePattern & { count: number; first_seen: string; examples: string[] }>()
  for (const { kind, type, class: named, code, message: said, at, subject_id: subject } of failures) {
    const message = said === null ? null : commonMessage(said)
    const cause = JSON.stringify([kind, type, named, code, message])
    const group = groups.get(cause)
    if (group === undefined)
      groups.set(cause, {
        kind,
        type,
        class: named,
        code,
        message,
        count: 1,
        first_seen: at,
        last_seen: at,
        examples: subject ? [subject] : [],
      })
    else {
      group.count++
      group.first_seen = at
      if (subject && group.examples.length < mostExamples && !group.examples.includes(subject)) group.examples.push(subject)
    }
  }
  return [...groups.values()].sort((a, b) => b.count - a.count)
}
