/**
 * Text that others wrote (agents, foreign servers, brokers), made harmless wherever people read it, on terminals, in logs and in files: control sequences, invisible and direction-changing characters appear as
 * marks such as ⟦U+001B⟧ instead of doing what they would do. A reviewer must see what is there, not what somebody wants seen.
 * Besides control and format characters: fillers that look like nothing, and the selectors and tags in which whole texts can be hidden.
 */
const hazards =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029\u115f\u1160\u3164\uffa0]|[\u180b-\u180f]|[\ufe00-\ufe0d]|[\u{e0000}-\u{e0fff}]|\u034f|\u17b4|\u17b5/gu
/** The colours of our own lines; none of them hides text. */
const escape = '\u001b'
const ownColours = new RegExp(`(${escape}\\[(?:[0-79]|2[1-9]|[39][0-9]|[34][0-9])m)`)

const mark = (character: string) => `⟦U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}⟧`

/** Every such character as its mark, line breaks too. */
export const marked = (text: string): string => text.replace(hazards, mark)

/** What our own code writes to a terminal, colours and line breaks kept: the last look, so that no line can be forgotten. */
export const lastLook = (text: string, colours: boolean): string =>
  (colours ? text.split(ownColours) : [text]).map((part, n) => (n % 2 === 1 ? part : part.split('\n').map(marked).join('\n'))).join('')

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
  return inertJsonText(JSON.stringify(value, undefined, indent) ?? 'null')
}

/** The same for JSON that is text already, in one line or several. */
export const inertJsonText = (json: string): string =>
  json.replace(hazards, (character) =>
    character === '\n'
      ? character
      : character
          .split('')
          .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
          .join(''),
  )
