/** One server entry in the text of a client's configuration: put in, taken out, everything else left as it was written. */
import type { AgentClient } from './agent-clients.ts'

export const entryName = 'work-manager'

/** The text is not what the client's own format allows, so nobody can change it safely. */
export class UnreadableConfig extends Error {}

/** The text with our entry. Refuses with: UnreadableConfig. */
export function withEntry(client: AgentClient, text: string, entry: Record<string, unknown>): string {
  return client.format === 'toml' ? tomlWith(client, text, entry) : jsonWith(client, text, entry)
}

/** The text without our entry. Refuses with: UnreadableConfig. */
export function withoutEntry(client: AgentClient, text: string): string {
  return client.format === 'toml' ? tomlWithout(client, text) : jsonWith(client, text, undefined)
}

function jsonWith(client: AgentClient, text: string, entry: Record<string, unknown> | undefined): string {
  const config = readObject(text)
  const before = config[client.servers] ?? {}
  if (typeof before !== 'object' || before === null || Array.isArray(before))
    throw new UnreadableConfig(`its member ${client.servers} is not an object`)
  const servers = { ...(before as Record<string, unknown>) }
  if (entry === undefined) delete servers[entryName]
  else servers[entryName] = entry
  const indent = /^[[{]\s*\n([ \t]+)/.exec(text.trimStart())?.[1] ?? '  '
  return `${JSON.stringify({ ...config, [client.servers]: servers }, null, indent)}\n`
}

function readObject(text: string): Record<string, unknown> {
  if (text.trim() === '') return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new UnreadableConfig('it is not plain JSON (comments and trailing commas would be lost if it were rewritten)')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UnreadableConfig('it does not hold a JSON object')
  return value as Record<string, unknown>
}

function tomlWith(client: AgentClient, text: string, entry: Record<string, unknown>): string {
  const rest = tomlWithout(client, text).replace(/\s+$/, '')
  // JSON strings and arrays of strings are TOML as well.
  const lines = Object.entries(entry).map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
  return `${rest === '' ? '' : `${rest}\n\n`}[${client.servers}.${entryName}]\n${lines.join('\n')}\n`
}

/** Our table and its sub-tables end where another table begins. */
function tomlWithout(client: AgentClient, text: string): string {
  const name = entryName.replaceAll('-', String.raw`\-`)
  const ours = new RegExp(String.raw`^\s*\[\s*${client.servers}\s*\.\s*(?:"${name}"|'${name}'|${name})\s*(?:\.[^\]]*)?\]\s*(?:#.*)?$`)
  if (new RegExp(String.raw`^\s*${client.servers}\s*[.=]|^\s*\[\s*${client.servers}\s*\][^[]*^\s*["']?${name}["']?\s*[.=]`, 'm').test(text))
    throw new UnreadableConfig(`it writes ${client.servers} in another way than [${client.servers}.name] tables`)
  const kept: string[] = []
  let inside = false
  for (const line of text.split('\n')) {
    if (/^\s*\[/.test(line)) inside = ours.test(line)
    if (!inside) kept.push(line)
  }
  return kept.join('\n')
}

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
