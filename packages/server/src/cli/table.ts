/** Tables for terminals of any width: columns where they fit, one block per row where they do not. */
import { inertLine } from '../log/inert-text.ts'

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string | number | null | undefined
  /** May be cut when the terminal is narrow. */
  readonly elastic?: boolean
}

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u
const gap = '  '
const narrowest = 12

/** Terminal cells that a text takes. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += /\p{Mn}/u.test(character) ? 0 : wide.test(character) ? 2 : 1
  return width
}

function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let kept = ''
  for (const character of text) {
    if (widthOf(kept + character) > width - 1) break
    kept += character
  }
  return `${kept}…`
}

const pad = (text: string, width: number) => text + ' '.repeat(Math.max(0, width - widthOf(text)))

/** The elastic column that can best spare a cell; none is made so narrow that it says nothing. */
function widestElastic(columns: readonly { readonly elastic?: boolean }[], widths: readonly number[]): number | undefined {
  let widest: number | undefined
  for (const [i, column] of columns.entries()) {
    const width = widths[i] as number
    if (column.elastic === true && width > narrowest && (widest === undefined || width > (widths[widest] as number))) widest = i
  }
  return widest
}

/** The lines of a table, the first one being the titles. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[], terminalWidth: number): string[] {
  const cells = rows.map((row) => columns.map((column) => inertLine(String(column.value(row) ?? '–'))))
  const widths = columns.map((column, i) => Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[i] as string))))
  let excess = widths.reduce((sum, width) => sum + width, 0) + gap.length * (columns.length - 1) - terminalWidth
  for (; excess > 0; excess--) {
    const widest = widestElastic(columns, widths)
    if (widest === undefined) break
    widths[widest] = (widths[widest] as number) - 1
  }
  if (excess > 0) return cells.flatMap((row, n) => [...(n > 0 ? [''] : []), ...columns.map((column, i) => `${column.title}: ${row[i]}`)])
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => pad(cut(text, widths[i] as number), widths[i] as number))
      .join(gap)
      .trimEnd()
  return [line(columns.map((column) => column.title)), ...cells.map(line)]
}
