/**
 * API keys: `wm_<kind>_<prefix>_<secret>`. An invitation is one as well, which can only be exchanged for the key that it stands for. The prefix names a key in lists and logs; the secret is 32 random bytes, so the plain
 * SHA-256 of the whole text is a safe thing to store and to look keys up by (nothing to guess, nothing to salt).
 */
import { hash, randomBytes, randomInt } from 'node:crypto'

export const keyLetters = { agent: 'a', person: 'p', service: 's', invitation: 'i' } as const
export type KeyKind = keyof typeof keyLetters

export interface GeneratedKey {
  /** Shown once, never stored. */
  readonly plain: string
  readonly prefix: string
  readonly hash: Buffer
}

const prefixLength = 8
// Without 0, 1, l and o: the prefix is read aloud and typed by people.
const prefixAlphabet = '23456789abcdefghijkmnpqrstuvwxyz'

export const keyPattern = /^wm_[apsi]_[0-9a-z]{8}_[A-Za-z0-9_-]{43}$/

/** Makes a key from the system's random source. */
export function generateKey(kind: KeyKind): GeneratedKey {
  let prefix = ''
  while (prefix.length < prefixLength) prefix += prefixAlphabet[randomInt(prefixAlphabet.length)]
  const plain = `wm_${keyLetters[kind]}_${prefix}_${randomBytes(32).toString('base64url')}`
  return { plain, prefix, hash: hashKey(plain) }
}

/** The stored form of a key: SHA-256 of the whole text. */
export function hashKey(plain: string): Buffer {
  return hash('sha256', plain, 'buffer')
}
