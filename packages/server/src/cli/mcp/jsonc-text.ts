/** One member of a JSON document with comments and trailing commas, put in or taken out where it stands; every other byte stays. */
import { createScanner, findNodeAtLocation, getNodeValue, type Node, parse, type ParseError, parseTree } from 'jsonc-parser'
import { UnreadableConfig } from './unreadable-config.ts'

const lenient = { allowTrailingComma: true, disallowComments: false, allowEmptyContent: true }
type JsonPath = readonly string[]

/** The value of the text. Refuses with: UnreadableConfig, for text that is neither JSON nor JSON with comments, or holds no object. */
export function readJsonc(text: string): Record<string, unknown> {
  const errors: ParseError[] = []
  const value = parse(text, errors, lenient) as unknown
  if (errors.length > 0) {
    const line = text.slice(0, errors[0]!.offset).split('\n').length
    throw new UnreadableConfig(`it is not JSON, with or without comments (line ${line})`)
  }
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UnreadableConfig('it does not hold a JSON object')
  return value as Record<string, unknown>
}

/** The text with the member, in the style of indenting that it has; what is missing on the way is made. */
export function withMember(text: string, path: JsonPath, value: unknown): string {
  assertObjects(readJsonc(text), path.slice(0, -1))
  // Comments alone: what follows them has to begin somewhere.
  const base = parseTree(text, [], lenient) === undefined ? `${text === '' || text.endsWith('\n') ? text : `${text}\n`}{}\n` : text
  const root = parseTree(base, [], lenient)!
  const unit = /\n([ \t]+)\S/.exec(base.slice(root.offset))?.[1] ?? '  '
  const eol = base.includes('\r\n') ? '\r\n' : '\n'
  const pretty = (inner: unknown, depth: number): string => JSON.stringify(inner, null, unit).replaceAll('\n', eol + unit.repeat(depth))
  const there = findNodeAtLocation(root, [...path])
  if (there && JSON.stringify(getNodeValue(there)) === JSON.stringify(value)) return text
  if (there) return base.slice(0, there.offset) + pretty(value, path.length) + base.slice(there.offset + there.length)

  let depth = path.length - 1
  while (depth > 0 && !findNodeAtLocation(root, path.slice(0, depth))) depth--
  const parent = depth === 0 ? root : findNodeAtLocation(root, path.slice(0, depth))!
  const inner = path.slice(depth + 1).reduceRight((made, name) => ({ [name]: made }), value)
  const member = `${JSON.stringify(path[depth])}: ${pretty(inner, depth + 1)}`
  const last = parent.children!.at(-1)
  const lastEnd = last === undefined ? undefined : last.offset + last.length
  const trails = lastEnd !== undefined && commaAfter(base, lastEnd) !== undefined
  const close = parent.offset + parent.length - 1
  const comma = lastEnd === undefined || trails ? '' : ','
  const before = base.slice(0, lastEnd ?? close) + comma + base.slice(lastEnd ?? close, close)
  const lineStart = before.lastIndexOf('\n') + 1
  const indented = unit.repeat(depth + 1) + member + (trails ? ',' : '')
  // The closing brace on a line of its own stays there; else the new member makes the object one of several lines.
  return before.slice(lineStart).trim() === '' && lineStart > 0
    ? before.slice(0, lineStart) + indented + eol + before.slice(lineStart) + base.slice(close)
    : before.trimEnd() + eol + indented + eol + unit.repeat(depth) + base.slice(close)
}

/** The text without the member, its comma and the line that it leaves empty. */
export function withoutMember(text: string, path: JsonPath): string {
  readJsonc(text)
  const root = parseTree(text, [], lenient)
  const property = root && findNodeAtLocation(root, [...path])?.parent
  if (property?.parent === undefined) return text
  const siblings = property.parent.children!
  const place = siblings.indexOf(property)
  const end = property.offset + property.length
  const comma = commaAfter(text, end)
  // Its own comma goes with it; the last of several without one takes that of the member before.
  if (comma !== undefined) return cut(text, property.offset, comma + 1)
  const before = siblings[place - 1]
  const earlier = before && commaAfter(text, before.offset + before.length)
  return earlier === undefined ? cut(text, property.offset, end) : cut(cut(text, property.offset, end), earlier, earlier + 1)
}

function assertObjects(whole: Record<string, unknown>, path: JsonPath): void {
  let value: unknown = whole
  for (const [depth, name] of path.entries()) {
    value = (value as Record<string, unknown>)[name]
    if (value === undefined) return
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new UnreadableConfig(`its member ${path.slice(0, depth + 1).join('.')} is not an object`)
  }
}

/** Where the comma behind a value stands, comments between them skipped. */
function commaAfter(text: string, offset: Node['offset']): number | undefined {
  const scanner = createScanner(text, true)
  scanner.setPosition(offset)
  scanner.scan()
  return text[scanner.getTokenOffset()] === ',' ? scanner.getTokenOffset() : undefined
}

/** Without the piece; a line of which nothing is left goes as a whole. */
function cut(text: string, from: number, to: number): string {
  const lineStart = text.lastIndexOf('\n', from - 1) + 1
  const lineEnd = text.indexOf('\n', to)
  const alone = text.slice(lineStart, from).trim() === '' && text.slice(to, lineEnd === -1 ? text.length : lineEnd).trim() === ''
  if (alone && lineEnd !== -1) return text.slice(0, lineStart) + text.slice(lineEnd + 1)
  return text.slice(0, from) + text.slice(to)
}
