/** One table of a TOML document, put in or taken out; comments, order and spacing of everything else stay. */
import { isDeepStrictEqual } from 'node:util'
import * as toml from '@decimalturn/toml-patch'
import { UnreadableConfig } from './unreadable-config.ts'

type Table = Readonly<Record<string, unknown>>

/** The text with `[servers.name]`. Refuses with: UnreadableConfig. */
export function withTable(text: string, servers: string, name: string, entry: Table): string {
  const { whole, known } = read(text, servers)
  const wanted = { ...whole, [servers]: { ...known, [name]: entry } }
  const rest = withoutTable(text, servers, name).replace(/\s+$/, '')
  // JSON strings and lists of strings are TOML as well.
  const lines = Object.entries(entry).map(([member, value]) => `${member} = ${JSON.stringify(value)}`)
  const appended = `${rest === '' ? '' : `${rest}\n\n`}[${servers}.${name}]\n${lines.join('\n')}\n`
  return firstThatSays([wanted], [() => appended, () => toml.patch(text, wanted, { trailingComma: false })])
}

/** The text without it and its sub-tables. Refuses with: UnreadableConfig. */
export function withoutTable(text: string, servers: string, name: string): string {
  const { whole, known } = read(text, servers)
  if (!Object.hasOwn(known, name)) return text
  const { [name]: _, ...others } = known
  // The table of all servers is there by its members alone, or stands for itself.
  const bare = { ...whole, [servers]: others }
  const { [servers]: __, ...without } = whole
  return firstThatSays([bare, without], [() => withoutLines(text, servers, name), () => toml.patch(text, bare, { trailingComma: false })])
}

function read(text: string, servers: string): { whole: Table; known: Table } {
  let whole: Table
  try {
    whole = toml.parse(text) as Table
  } catch (error) {
    throw new UnreadableConfig(`it is not TOML (${(error as Error).message.split('\n')[0]})`)
  }
  const known = whole[servers] ?? {}
  if (typeof known !== 'object' || Array.isArray(known)) throw new UnreadableConfig(`its member ${servers} is not a table`)
  return { whole, known: known as Table }
}

/** The first text that means what is wanted: an edit is believed by what it reads as, not by how it was made. */
function firstThatSays(wanted: readonly Table[], edits: ReadonlyArray<() => string>): string {
  for (const edit of edits)
    try {
      const text = edit()
      const says = plain(toml.parse(text))
      if (wanted.some((one) => isDeepStrictEqual(says, plain(one)))) return text
    } catch {
      // The next way of writing it is tried.
    }
  throw new UnreadableConfig('it writes its servers in a way that cannot be changed without changing more')
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown

/** Our table and its sub-tables end where another table begins; a comment after an empty line belongs to what follows. */
function withoutLines(text: string, servers: string, name: string): string {
  const escaped = name.replaceAll('-', String.raw`\-`)
  const ours = new RegExp(String.raw`^\s*\[\s*${servers}\s*\.\s*(?:"${escaped}"|'${escaped}'|${escaped})\s*(?:\.[^\]]*)?\]\s*(?:#.*)?$`)
  const kept: string[] = []
  let left: string[] | undefined
  for (const line of text.split('\n')) {
    const header = /^\s*\[/.test(line)
    if (header && ours.test(line)) left = []
    else if (left === undefined) kept.push(line)
    else if (header) {
      kept.push(...left, line)
      left = undefined
    } else if (/^\s*(#.*)?$/.test(line)) {
      if (left.length > 0 || line.trim() === '') left.push(line)
    } else left = []
  }
  const rest = left?.some((line) => line.trim() !== '') ? left : []
  return [...kept, ...rest].join('\n')
}
