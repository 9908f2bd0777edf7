/**
 * One pass over a JSON text that finds everything `JSON.parse` would let through and we must not: duplicate keys, keys that reach
 * for prototypes, characters PostgreSQL cannot store, numbers that would change, deep nesting. It checks the grammar as well, so
 * that a mistake is answered with its place and what was expected. No recursion: a megabyte of `[` costs one comparison each.
 */
import { WorkError } from '@work-manager/contract/errors'
import { isKeptExactly } from '../../kernel/schemas/exact-numbers.ts'
import { isPrototypeKey, jsonPointer } from './json-pointer.ts'
import { syntaxError } from './json-syntax-error.ts'

export const deepestJson = 64

const quote = 0x22
const comma = 0x2c
const minus = 0x2d
const dot = 0x2e
const zero = 0x30
const nine = 0x39
const colon = 0x3a
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

const isDigit = (code: number): boolean => code >= zero && code <= nine
const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** An open object or array on the way down to where the scan is. */
interface Level {
  isObject: boolean
  /** The key whose value is being scanned, or the position in the array. */
  key: string
  ordinal: number
  /** Keys of this object so far, and where each one starts. */
  keys: string[]
  starts: number[]
  /** The same keys by name, once there are too many to compare one by one. */
  byKey: Map<string, number> | null
}

const keysComparedOneByOne = 12

export class JsonScanner {
  private readonly text: string
  private at = 0
  private begun = false
  rootIsObject = false
  private depth = 0
  private readonly levels: Level[] = []
  /** Whether the string scanned last holds an escape. */
  private escaped = false

  constructor(text: string) {
    this.text = text
  }

  /**
   * Scans the whole text; returns true when the root is an object.
   * Refuses with: json_syntax, json_too_deep, duplicate_key, forbidden_key, forbidden_character, number_precision.
   */
  scan(): boolean {
    while (!this.scanSome(Number.POSITIVE_INFINITY)) {
      // Never: all values were asked for.
    }
    return this.rootIsObject
  }

  /** Scans at most so many values; true at the end of the text, when `rootIsObject` is known. Refuses like `scan`. */
  scanSome(values: number): boolean {
    this.skipSpace()
    if (!this.begun) this.rootIsObject = this.text.charCodeAt(this.at) === openBrace
    this.begun = true
    for (let n = 0; n < values; n++) {
      // Each turn is one value; containers go on with their first or next member.
      if (this.scanValue() || this.scanAfterValue()) continue
      this.skipSpace()
      if (this.at < this.text.length) throw syntaxError(this.text, this.at, 'the end of the body')
      return true
    }
    return false
  }

  /** Returns true when a container was opened that holds something, so that a value follows at once. */
  private scanValue(): boolean {
    this.skipSpace()
    const code = this.text.charCodeAt(this.at)
    if (code === quote) this.scanString()
    else if (code === openBrace) return this.open(true)
    else if (code === openBracket) return this.open(false)
    else if (code === minus || isDigit(code)) this.scanNumber()
    else if (code === 0x74) this.scanWord('true')
    else if (code === 0x66) this.scanWord('false')
    else if (code === 0x6e) this.scanWord('null')
    else throw syntaxError(this.text, this.at, 'a value')
    return false
  }

  /** Closes what ends here; returns true when another value follows, false at the end of the root value. */
  private scanAfterValue(): boolean {
    while (this.depth > 0) {
      const level = this.levels[this.depth - 1]!
      this.skipSpace()
      const code = this.text.charCodeAt(this.at)
      if (code === comma) {
        this.at++
        if (level.isObject) this.scanKey(level, 'a key in double quotes')
        else level.ordinal++
        return true
      }
      if (code !== (level.isObject ? closeBrace : closeBracket))
        throw syntaxError(this.text, this.at, level.isObject ? 'a comma or }' : 'a comma or ]')
      this.at++
      this.depth--
    }
    return false
  }

  private open(isObject: boolean): boolean {
    if (this.depth === deepestJson) {
      throw new WorkError('json_too_deep', {
        detail: `The JSON is nested more than ${deepestJson} levels deep, at ${this.pointer()}.`,
        extra: { pointer: this.pointer(), limit: deepestJson },
      })
    }
    this.at++
    const level = (this.levels[this.depth] ??= { isObject, key: '', ordinal: 0, keys: [], starts: [], byKey: null })
    this.depth++
    level.isObject = isObject
    level.ordinal = 0
    level.keys.length = 0
    level.starts.length = 0
    level.byKey = null
    this.skipSpace()
    if (this.text.charCodeAt(this.at) === (isObject ? closeBrace : closeBracket)) {
      this.at++
      this.depth--
      return false
    }
    if (isObject) this.scanKey(level, 'a key in double quotes or }')
    return true
  }

  private scanKey(level: Level, expected: string): void {
    this.skipSpace()
    const start = this.at
    if (this.text.charCodeAt(start) !== quote) throw syntaxError(this.text, start, expected)
    this.scanString()
    const key = this.escaped ? (JSON.parse(this.text.slice(start, this.at)) as string) : this.text.slice(start + 1, this.at - 1)
    const earlier = this.findKey(level, key)
    level.key = key
    if (earlier !== -1) {
      throw new WorkError('duplicate_key', {
        detail: `The key at ${this.pointer()} appears twice: at character ${earlier + 1} and at character ${start + 1} of the body.`,
        extra: { pointer: this.pointer(), positions: [earlier + 1, start + 1] },
      })
    }
    level.keys.push(key)
    level.starts.push(start)
    level.byKey?.set(key, start)
    // Both names have nine letters, as has no other name to look for.
    if (key.length === 9 && isPrototypeKey(key, this.parentKey())) {
      throw new WorkError('forbidden_key', {
        detail: `The key at ${this.pointer()} is not accepted; rename it.`,
        extra: { pointer: this.pointer() },
      })
    }
    this.skipSpace()
    if (this.text.charCodeAt(this.at) !== colon) throw syntaxError(this.text, this.at, 'a colon')
    this.at++
  }

  /** The start of the same key in this object, or -1. */
  private findKey(level: Level, key: string): number {
    const { keys, starts } = level
    if (keys.length > keysComparedOneByOne) {
      level.byKey ??= new Map(keys.map((earlier, index) => [earlier, starts[index]!]))
      return level.byKey.get(key) ?? -1
    }
    const index = keys.indexOf(key)
    return index === -1 ? -1 : starts[index]!
  }

  private scanString(): void {
    const { text } = this
    const start = this.at
    let at = start + 1
    this.escaped = false
    for (;;) {
      const code = text.charCodeAt(at)
      if (code === quote) break
      if (code === backslash) {
        this.escaped = true
        at = this.scanEscape(at)
      } else if (code >= 0x20) at++
      // Also the end of the text, where the code is NaN.
      else
        throw syntaxError(
          text,
          at,
          at < text.length ? 'an escape such as \\n instead of a bare control character' : 'the closing double quote of a string',
        )
    }
    this.at = at + 1
  }

  /** Returns the position after the escape that starts at `at`. */
  private scanEscape(at: number): number {
    const letter = this.text.charAt(at + 1)
    if (letter !== 'u') {
      if (letter === '' || !'"\\/bfnrt'.includes(letter))
        throw syntaxError(this.text, at, 'one of the escapes \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX')
      return at + 2
    }
    const unit = this.readUnit(at)
    if (unit === 0) throw this.forbiddenCharacter(at, 'U+0000')
    if (unit < 0xd800 || unit > 0xdfff) return at + 6
    const next = unit < 0xdc00 && this.text.startsWith('\\u', at + 6) ? this.readUnit(at + 6) : 0
    if (next < 0xdc00 || next > 0xdfff) throw this.forbiddenCharacter(at, `the unpaired surrogate U+${unit.toString(16).toUpperCase()}`)
    return at + 12
  }

  private readUnit(at: number): number {
    const digits = this.text.slice(at + 2, at + 6)
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw syntaxError(this.text, at, 'four hexadecimal digits after \\u')
    return Number.parseInt(digits, 16)
  }

  private scanNumber(): void {
    const { text } = this
    const start = this.at
    let at = start
    if (text.charCodeAt(at) === minus) at++
    const first = at
    at = this.skipDigits(at)
    if (text.charCodeAt(first) === zero && at > first + 1) throw syntaxError(text, first, 'a number without leading zeros')
    let isInteger = true
    let hasExponent = false
    if (text.charCodeAt(at) === dot) {
      isInteger = false
      at = this.skipDigits(at + 1)
    }
    if ((text.charCodeAt(at) | 0x20) === 0x65) {
      isInteger = false
      hasExponent = true
      at++
      const sign = text.charCodeAt(at)
      if (sign === 0x2b || sign === minus) at++
      at = this.skipDigits(at)
    }
    this.at = at
    // Fifteen digits are always exact.
    if (at - start <= 15 && !hasExponent) return
    const digits = text.slice(start, at)
    if (isInteger ? Number.isSafeInteger(Number(digits)) : isKeptExactly(digits)) return
    const shown = digits.length > 64 ? `${digits.slice(0, 64)}…` : digits
    throw new WorkError('number_precision', {
      detail: `The number ${shown} at ${this.pointer()} cannot be kept exactly; send it as a string.`,
      extra: { pointer: this.pointer() },
    })
  }

  /** At least one digit must be there. */
  private skipDigits(from: number): number {
    let at = from
    while (isDigit(this.text.charCodeAt(at))) at++
    if (at === from) throw syntaxError(this.text, at, 'a digit')
    return at
  }

  private scanWord(word: string): void {
    if (!this.text.startsWith(word, this.at)) throw syntaxError(this.text, this.at, 'a value')
    this.at += word.length
  }

  private skipSpace(): void {
    while (isSpace(this.text.charCodeAt(this.at))) this.at++
  }

  private parentKey(): string | null {
    const parent = this.levels[this.depth - 2]
    return this.depth >= 2 && parent!.isObject ? parent!.key : null
  }

  private forbiddenCharacter(at: number, name: string): WorkError {
    return new WorkError('forbidden_character', {
      detail: `The string at ${this.pointer()} holds ${name} at character ${at + 1} of the body, which cannot be stored.`,
      extra: { pointer: this.pointer(), position: at + 1 },
    })
  }

  private pointer(): string {
    return jsonPointer(this.levels.slice(0, this.depth).map((level) => (level.isObject ? level.key : level.ordinal)))
  }
}
