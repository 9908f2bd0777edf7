import { expect, test } from 'vitest'
import { inertJson, inertLine, inertText, lastLook } from './inert-text.ts'

test.each([
  ['\u001b[2J\u001b[31mred', '⟦U+001B⟧[2J⟦U+001B⟧[31mred'],
  ['abc\u202edef', 'abc⟦U+202E⟧def'],
  ['zero\u200bwidth', 'zero⟦U+200B⟧width'],
  ['tag\u{e0041}', 'tag⟦U+E0041⟧'],
  ['selector\ufe01 and \u{e0105}', 'selector⟦U+FE01⟧ and ⟦U+E0105⟧'],
  ['unassigned tag\u{e0fff}', 'unassigned tag⟦U+E0FFF⟧'],
  ['bell\u0007 c1\u009b', 'bell⟦U+0007⟧ c1⟦U+009B⟧'],
  ['two\nlines\r\nthree', 'two⏎lines⏎three'],
  ['overwrite\rme', 'overwrite⟦U+000D⟧me'],
  ['größe 漢字 🙂', 'größe 漢字 🙂'],
])('%j is shown as %s', (text, shown) => {
  expect(inertLine(text)).toBe(shown)
})

test('text of several lines keeps its lines', () => {
  expect(inertText('one\r\ntwo\u001b')).toBe('one\ntwo⟦U+001B⟧')
})

test('JSON reads back as the same value and holds no character that acts', () => {
  const value = { text: '\u001b[0m\u202e\u{e0041}\u007f🙂', 'k\u009b': [1] }
  const json = inertJson(value, 2)
  expect(JSON.parse(json)).toEqual(value)
  expect(json).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u)
})

test('the last look lets our own colours and line breaks through, and nothing else', () => {
  const line = '\u001b[32mok\u001b[39m \u001b[2mdim\u001b[22m\nnext \u001b[8mhidden \u001b]52;c;x\u0007 \u202e'
  expect(lastLook(line, true)).toBe(
    '\u001b[32mok\u001b[39m \u001b[2mdim\u001b[22m\nnext ⟦U+001B⟧[8mhidden ⟦U+001B⟧]52;c;x⟦U+0007⟧ ⟦U+202E⟧',
  )
  expect(lastLook('\u001b[32mno colours', false)).toBe('⟦U+001B⟧[32mno colours')
})
