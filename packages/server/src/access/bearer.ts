/** Reads the Authorization header. What is wrong with it is said in words; the header itself is never repeated. */
import { WorkError } from '@work-manager/contract'
import { keyPattern } from './api-keys.ts'

/**
 * The key in `Authorization: Bearer <key>`.
 * Refuses with: auth_required, auth_malformed.
 */
export function readBearer(header: string | undefined): string {
  if (header === undefined || header === '') throw new WorkError('auth_required')
  const key = header.startsWith('Bearer ') ? header.slice(7) : ''
  return keyPattern.test(key) ? key : readUnusual(header)
}

/** Off the fast path: another spelling of the scheme, or the reason why this is not a key. */
function readUnusual(header: string): string {
  const scheme = /^bearer +(.*)$/is.exec(header)
  if (!scheme) throw malformed(withoutBearer(header))
  const key = scheme[1]!
  if (keyPattern.test(key)) return key
  throw malformed(whatIsWrong(key))
}

function withoutBearer(header: string): string {
  if (/^bearer\s*$/i.test(header)) return 'The word Bearer is there, but no key follows it.'
  if (/^["']?wm_/.test(header)) return 'The header holds a key, but the word Bearer is missing before it.'
  if (/^basic\s/i.test(header)) return 'The scheme is Basic; this server takes Bearer.'
  return 'The header does not start with the word Bearer and a space.'
}

function whatIsWrong(key: string): string {
  if (key.trim() === '') return 'The word Bearer is there, but no key follows it.'
  if (/["'`]/.test(key)) return 'The key is wrapped in quotes, or holds one.'
  if (/^<.*>$|^\$|^\{|\.\.\.|…|your|example|placeholder/i.test(key)) return 'This is a placeholder, not a key.'
  if (/\s/.test(key)) return 'The key holds white space or a line break; copy it again in one piece.'
  if (key.startsWith('wm_')) return 'The key has the wrong length or shape; it was probably cut off, or something was added to it.'
  return 'Keys of this server start with wm_; this is something else.'
}

function malformed(detail: string): WorkError {
  return new WorkError('auth_malformed', { detail: `The credentials cannot be read. ${detail}` })
}
