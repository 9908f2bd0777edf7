/** One server entry in the text of a client's configuration: put in, taken out, everything else left as it was written. */
import type { AgentClient } from './agent-clients.ts'
import { readJsonc, withMember, withoutMember } from './jsonc-text.ts'
import { withoutTable, withTable } from './toml-text.ts'

export const entryName = 'work-manager'

/** The text with our entry. Refuses with: UnreadableConfig. */
export function withEntry(client: AgentClient, text: string, entry: Record<string, unknown>): string {
  if (client.format === 'toml') return withTable(text, client.servers(() => ({})).join('.'), entryName, entry)
  const [mark, rest] = apart(text)
  return mark + withMember(rest, [...client.servers(() => readJsonc(rest)), entryName], entry)
}

/** The text without our entry. Refuses with: UnreadableConfig. */
export function withoutEntry(client: AgentClient, text: string): string {
  if (client.format === 'toml') return withoutTable(text, client.servers(() => ({})).join('.'), entryName)
  const [mark, rest] = apart(text)
  return mark + withoutMember(rest, [...client.servers(() => readJsonc(rest)), entryName])
}

/** The mark of a byte order, which some editors write in front, and the text. */
const apart = (text: string): [string, string] => (text.startsWith('\uFEFF') ? ['\uFEFF', text.slice(1)] : ['', text])

/** What changed, line by line: everything between the lines that both texts begin and end with. */
export function lineDiff(before: string, after: string): string[] {
  if (before === after) return []
  const [a, b] = [before, after].map((text) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))) as [string[], string[]]
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  const around = 2
  return [
    ...a.slice(Math.max(0, head - around), head).map((line) => `  ${line}`),
    ...a.slice(head, a.length - tail).map((line) => `- ${line}`),
    ...b.slice(head, b.length - tail).map((line) => `+ ${line}`),
    ...a.slice(a.length - tail, a.length - tail + around).map((line) => `  ${line}`),
  ]
}
