/**
 * Regular expressions of schemas on a linear-time engine, so that no pattern can be made to hang the server by the text it is given.
 * The pattern is read as ECMAScript reads it and written again in the engine's own syntax: the two differ in `\s`, `.`, `$` and more.
 */
import { type AST, RegExpParser } from '@eslint-community/regexpp'
import { RE2JS } from 're2js'

export interface LinearRegExp {
  /** Steps that it takes on a text of this length, at most. */
  steps(length: number): number
  test(text: string): boolean
}

/** Linear means text × program: counted repetitions such as `(.*a){900}` unfold into programs that make even that slow. */
const maxProgramSize = 2_500
/** The engine without its tables does about so many moves of its program in the time of one step of the judge. */
const movesPerStep = 8

const parser = new RegExpParser({ ecmaVersion: 2025 })

/** In `u` mode; without it where that is all that is wrong, so that `\-` and `\@` stay what they were for everybody. */
function parse(source: string): AST.Pattern {
  try {
    return parser.parsePattern(source, undefined, undefined, { unicode: true })
  } catch (error) {
    if (/\\[pPkuc]/.test(source)) throw error
    try {
      return parser.parsePattern(source, undefined, undefined, { unicode: false })
    } catch {
      throw error
    }
  }
}

type Range = readonly [first: number, last: number]
const last = 0x10ffff
const digits: readonly Range[] = [[0x30, 0x39]]
const words: readonly Range[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]
const spaces: readonly Range[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]
const lineEnds: readonly Range[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
]

function others(ranges: readonly Range[]): Range[] {
  const found: Range[] = []
  let from = 0
  for (const [first, end] of ranges) {
    if (first > from) found.push([from, first - 1])
    from = end + 1
  }
  return [...found, [from, last]]
}

/** The long names of general categories that ECMAScript knows and the engine does not. */
const categories: Readonly<Record<string, string>> = {
  Letter: 'L',
  Lowercase_Letter: 'Ll',
  Uppercase_Letter: 'Lu',
  Titlecase_Letter: 'Lt',
  Modifier_Letter: 'Lm',
  Other_Letter: 'Lo',
  Mark: 'M',
  Combining_Mark: 'M',
  Nonspacing_Mark: 'Mn',
  Spacing_Mark: 'Mc',
  Enclosing_Mark: 'Me',
  Number: 'N',
  Decimal_Number: 'Nd',
  digit: 'Nd',
  Letter_Number: 'Nl',
  Other_Number: 'No',
  Punctuation: 'P',
  punct: 'P',
  Connector_Punctuation: 'Pc',
  Dash_Punctuation: 'Pd',
  Open_Punctuation: 'Ps',
  Close_Punctuation: 'Pe',
  Initial_Punctuation: 'Pi',
  Final_Punctuation: 'Pf',
  Other_Punctuation: 'Po',
  Symbol: 'S',
  Math_Symbol: 'Sm',
  Currency_Symbol: 'Sc',
  Modifier_Symbol: 'Sk',
  Other_Symbol: 'So',
  Separator: 'Z',
  Space_Separator: 'Zs',
  Line_Separator: 'Zl',
  Paragraph_Separator: 'Zp',
  Other: 'C',
  Control: 'Cc',
  cntrl: 'Cc',
  Format: 'Cf',
  Private_Use: 'Co',
  Unassigned: 'Cn',
}

const code = (point: number): string => `\\x{${point.toString(16)}}`
const inClass = (ranges: readonly Range[]): string => ranges.map(([a, b]) => (a === b ? code(a) : `${code(a)}-${code(b)}`)).join('')

/** What stands inside of brackets for `\d`, `\s`, `\w`, `\p{…}`. */
function membersOf(set: AST.CharacterSet): string {
  if (set.kind === 'any') return inClass(others(lineEnds))
  if (set.kind === 'property') {
    if (set.strings) throw new Error(`${set.raw} is no property of single characters`)
    const isNamed = ['General_Category', 'gc', 'Script', 'sc'].includes(set.key)
    if (set.value !== null && !isNamed) throw new Error(`${set.raw} is not supported`)
    const name = (isNamed && set.value) || set.key
    return `\\${set.negate ? 'P' : 'p'}{${categories[name] ?? name}}`
  }
  const ranges = set.kind === 'digit' ? digits : set.kind === 'space' ? spaces : words
  return inClass(set.negate ? others(ranges) : ranges)
}

function classOf(node: AST.CharacterClass): string {
  if (node.unicodeSets) throw new Error('classes of the v flag are not supported')
  const members = node.elements.map((one) =>
    one.type === 'Character'
      ? code(one.value)
      : one.type === 'CharacterClassRange'
        ? `${code(one.min.value)}-${code(one.max.value)}`
        : membersOf(one as AST.CharacterSet),
  )
  if (members.length === 0) return node.negate ? `[${inClass([[0, last]])}]` : `[^${inClass([[0, last]])}]`
  return `[${node.negate ? '^' : ''}${members.join('')}]`
}

function quantified(node: AST.Quantifier): string {
  const { min, max } = node
  const count = max === Number.POSITIVE_INFINITY ? (min === 0 ? '*' : min === 1 ? '+' : `{${min},}`) : `{${min},${max}}`
  return `(?:${written(node.element)})${count}`
}

function written(node: AST.Element): string {
  switch (node.type) {
    case 'Character':
      return code(node.value)
    case 'CharacterSet':
      return `[${membersOf(node)}]`
    case 'CharacterClass':
      return classOf(node)
    case 'Quantifier':
      return quantified(node)
    case 'CapturingGroup':
      return `(?:${alternatives(node.alternatives)})`
    case 'Group':
      if (node.modifiers) throw new Error(`the modifiers of ${node.raw} are not supported`)
      return `(?:${alternatives(node.alternatives)})`
    case 'Assertion':
      if (node.kind === 'start') return '\\A'
      if (node.kind === 'end') return '\\z'
      if (node.kind === 'word') return node.negate ? '\\B' : '\\b'
      throw new Error(`it looks ${node.kind === 'lookahead' ? 'ahead' : 'behind'}: ${node.raw}`)
    case 'Backreference':
      throw new Error(`it refers back to a group: ${node.raw}`)
    default:
      throw new Error(`${node.raw} is not supported`)
  }
}

const alternatives = (list: readonly AST.Alternative[]): string => list.map((one) => one.elements.map(written).join('')).join('|')

/** Compiles an ECMAScript pattern. Throws on what needs backtracking, and on what it cannot take exactly. */
export function linearRegExp(source: string): LinearRegExp {
  const compiled = RE2JS.compile(alternatives(parse(source).alternatives))
  const size = compiled.programSize()
  if (size > maxProgramSize) throw new Error(`its repetitions unfold into ${size} steps; at most ${maxProgramSize} are accepted`)
  return { steps: (length) => 1 + Math.ceil((length * size) / movesPerStep), test: (text) => compiled.test(text) }
}
