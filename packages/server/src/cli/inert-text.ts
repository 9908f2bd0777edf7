/**
 * Text that agents wrote, made harmless for a terminal: control sequences, invisible and direction-changing characters appear as
 * marks such as ⟦U+001B⟧ instead of doing what they would do. A reviewer must see what is there, not what somebody wants seen.
 */
const hazards = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029\u115f\u1160\u3164\uffa0]|\u034f|\u17b4|\u17b5/gu

const mark = (character: string) => `⟦U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}⟧`

/** On one line: line breaks become ⏎. */
export function inertLine(text: string): string {
  return text.replace(/\r?\n/g, '⏎').replaceAll('\t', ' ').replace(hazards, mark)
}

/** On several lines: line breaks stay. */
export function inertText(text: string): string {
  return text
    .split('\n')
    .map((line) => inertLine(line.replace(/\r$/, '')))
    .join('\n')
}

/** JSON whose strings hold no such character: they appear as \u escapes, which every JSON reader turns back. */
export function inertJson(value: unknown, indent?: number): string {
  return (JSON.stringify(value, undefined, indent) ?? 'null').replace(hazards, (character) =>
    character === '\n'
      ? character
      : character
          .split('')
          .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
          .join(''),
  )
}
