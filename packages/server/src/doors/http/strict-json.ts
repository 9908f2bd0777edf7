/** Request bodies: bytes → one JSON object that means the same to every reader, or a refusal that says where it does not. */
import { isUtf8 } from 'node:buffer'
import { WorkError } from '@work-manager/contract'
import { breathe } from '../../kernel/breathe.ts'
import { JsonScanner } from './json-scanner.ts'

/**
 * Parses a body.
 * Refuses with: encoding, json_syntax, json_root, json_too_deep, duplicate_key, forbidden_key, forbidden_character, number_precision.
 */
export function parseJsonObject(bytes: Buffer): Record<string, unknown> {
  const text = decode(bytes)
  const scanner = new JsonScanner(text)
  scanner.scan()
  return parsed(text, scanner)
}

/** Read at a time: some milliseconds. */
const valuesAtOnce = 5_000

/** The same for a large body, in turns with everybody else's requests. */
export async function parseLargeJsonObject(bytes: Buffer): Promise<Record<string, unknown>> {
  const text = decode(bytes)
  const scanner = new JsonScanner(text)
  while (!scanner.scanSome(valuesAtOnce)) await breathe()
  await breathe()
  return parsed(text, scanner)
}

function parsed(text: string, { rootIsObject }: JsonScanner): Record<string, unknown> {
  if (!rootIsObject) throw new WorkError('json_root', { detail: `The body is ${kindOf(text)}; send an object instead.` })
  return JSON.parse(text) as Record<string, unknown>
}

function decode(bytes: Buffer): string {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
    throw encoding('The body starts with a byte order mark (byte offset 0).', 0)
  const looksLikeUtf16 =
    (bytes[0] === 0xfe && bytes[1] === 0xff) ||
    (bytes[0] === 0xff && bytes[1] === 0xfe) ||
    (bytes.length > 1 && (bytes[0] === 0) !== (bytes[1] === 0))
  if (looksLikeUtf16) throw encoding('The body looks like UTF-16 (byte offset 0).', 0)
  if (!isUtf8(bytes)) {
    const offset = firstBadByte(bytes)
    throw encoding(`The body is not UTF-8: the bytes at offset ${offset} are no character.`, offset)
  }
  return bytes.toString('utf8')
}

function encoding(detail: string, offset: number): WorkError {
  return new WorkError('encoding', { detail, fix: 'Send UTF-8 without a byte order mark.', extra: { byte_offset: offset } })
}

/** The decoder writes U+FFFD for what it cannot read: the first one that is not in the bytes marks the place. */
function firstBadByte(bytes: Buffer): number {
  const text = bytes.toString('utf8')
  let from = 0
  let offset = 0
  for (;;) {
    const at = text.indexOf('\ufffd', from)
    if (at === -1) return offset
    offset += Buffer.byteLength(text.slice(from, at))
    const isReal = bytes[offset] === 0xef && bytes[offset + 1] === 0xbf && bytes[offset + 2] === 0xbd
    if (!isReal) return offset
    offset += 3
    from = at + 1
  }
}

function kindOf(text: string): string {
  const first = text.trimStart()[0]
  if (first === '[') return 'an array'
  if (first === '"') return 'a string'
  if (first === 't' || first === 'f') return 'a boolean'
  return first === 'n' ? 'null' : 'a number'
}
