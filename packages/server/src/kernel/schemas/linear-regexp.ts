/**
 * Regular expressions of schemas on a linear-time engine, so that no pattern can be made to hang the server by the text it is
 * given: `^(a+)+$` costs RegExp seconds on 30 characters, and here milliseconds on thousands.
 */
import { RE2JS } from 're2js'

interface LinearRegExp {
  test(text: string): boolean
  /** Ajv keys its compiled patterns by this text. Without an own `toString` every pattern shares one key, and bad data passes. */
  toString(): string
}

/** Linear means text × program: counted repetitions such as `(.*a){900}` unfold into programs that make even that slow. */
const maxProgramSize = 2_500

/** Compiles an ECMAScript pattern. Throws on what needs backtracking: lookahead, lookbehind, back-references. */
function compileLinear(pattern: string): LinearRegExp {
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern))
  if (compiled.programSize() > maxProgramSize)
    throw new Error(`its repetitions unfold into ${compiled.programSize()} steps; at most ${maxProgramSize} are accepted`)
  return { test: (text) => compiled.matcher(text).find(), toString: () => `/${pattern}/` }
}

/** The form that Ajv's `code.regExp` asks for; `code` is the source text that would recreate it. */
export const linearRegExp = Object.assign(compileLinear, { code: 'new RE2' })
