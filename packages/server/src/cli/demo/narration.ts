/**
 * The demo's voice: one line per thing that matters, in columns (seconds, who, items done, what), 80 wide unless the terminal says
 * otherwise. Everything passes through `inert` here, so no text of an agent or a package can steer the terminal.
 */
import { marked } from '../../log/inert-text.ts'
import picocolors from 'picocolors'

export type Tone = 'plain' | 'good' | 'refused' | 'quiet'

export interface NarratorOptions {
  readonly out: (line: string) => void
  readonly color: boolean
  readonly width: number
  /** Seconds since the story began. */
  readonly elapsed: () => number
}

/** Text on one line that a terminal only shows: control and invisible characters appear as marks such as ⟦U+001B⟧. */
export function inert(text: string): string {
  return marked(text.replace(/\r?\n/g, ' ').replaceAll('\t', ' '))
}

/** Lines of at most `width` characters, broken between words where there are any. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length <= width) {
      line = `${line} ${word}`
      continue
    }
    if (line !== '') lines.push(line)
    line = word
    while (line.length > width) {
      // A path breaks behind a slash, so that its steps stay whole.
      const slash = line.lastIndexOf('/', width - 1)
      const end = slash > width / 2 ? slash + 1 : width
      lines.push(line.slice(0, end))
      line = line.slice(end)
    }
  }
  return line === '' ? lines : [...lines, line]
}

/** The text, or its beginning and an ellipsis. */
export const shortened = (text: string, longest: number): string => (text.length <= longest ? text : `${text.slice(0, longest - 1)}…`)

/** `1 item`, `2 items`. */
export const counted = (count: number, noun: string): string => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`

const marks: Record<Tone, string> = { plain: ' ', good: '✓', refused: '✗', quiet: ' ' }
const timeWidth = 5
const whoWidth = 8
const itemsWidth = 5
const labelWidth = 15
/** Where the text of a line begins: behind the three columns, the mark and the gaps. */
const textColumn = timeWidth + 2 + whoWidth + 1 + itemsWidth + 3

export class Narrator {
  readonly #options: NarratorOptions
  readonly #paint: ReturnType<typeof picocolors.createColors>
  #items = ''

  constructor(options: NarratorOptions) {
    this.#options = options
    this.#paint = picocolors.createColors(options.color)
  }

  /** How many items of the order at hand are done; shown beside every line from here on. Without numbers: none. */
  showProgress(done?: number, total?: number): void {
    this.#items = done === undefined ? '' : `${done}/${total}`
  }

  /** Begins a chapter, and names the columns. */
  chapter(title: string): void {
    const { bold, dim } = this.#paint
    this.#options.out('')
    this.#options.out(bold(shortened(inert(title), this.#options.width)))
    this.#options.out(dim(`${'time'.padStart(timeWidth)}  ${'who'.padEnd(whoWidth)} ${'items'.padEnd(itemsWidth)}   what`))
  }

  /** One line: who did what. Longer texts go on below their own column. */
  say(who: string, text: string, tone: Tone = 'plain'): void {
    const { dim, bold } = this.#paint
    const time = `${this.#options.elapsed().toFixed(1)}s`.padStart(timeWidth)
    const [first = '', ...rest] = wrapped(inert(text), this.#options.width - textColumn)
    this.#options.out(
      `${dim(time)}  ${bold(shortened(inert(who), whoWidth).padEnd(whoWidth))} ${dim(this.#items.padEnd(itemsWidth))} ${this.#toned(tone, `${marks[tone]} ${first}`)}`.trimEnd(),
    )
    for (const line of rest) this.#options.out(`${' '.repeat(textColumn)}${this.#toned(tone, line)}`)
  }

  /** A titled list of label and text between two rules. */
  summary(title: string, rows: readonly (readonly [label: string, text: string])[]): void {
    const { out, width } = this.#options
    out('')
    out(this.#paint.dim(`── ${title} ${'─'.repeat(Math.max(3, width - title.length - 4))}`))
    for (const [label, text] of rows) this.summaryLine(label, text)
  }

  summaryLine(label: string, text: string): void {
    const { out, width } = this.#options
    const [first = '', ...rest] = wrapped(inert(text), width - labelWidth - 3)
    out(`  ${this.#paint.bold(label.padEnd(labelWidth))} ${first}`)
    for (const line of rest) out(`  ${' '.repeat(labelWidth)} ${line}`)
  }

  /** A command to copy: alone on its line and never broken. */
  command(text: string): void {
    this.#options.out(`    ${this.#paint.cyan(inert(text))}`)
  }

  #toned(tone: Tone, text: string): string {
    const { green, yellow, dim } = this.#paint
    return tone === 'good' ? green(text) : tone === 'refused' ? yellow(text) : tone === 'quiet' ? dim(text) : text
  }
}
