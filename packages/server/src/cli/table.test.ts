import { expect, test } from 'vitest'
import { tableLines, widthOf, type Column } from './table.ts'

interface Row {
  id: string
  note: string | null
}
const columns: Column<Row>[] = [
  { title: 'ID', value: (row) => row.id },
  { title: 'NOTE', value: (row) => row.note, elastic: true },
]

test('columns are as wide as their widest cell, and an absent value is a dash', () => {
  expect(
    tableLines(
      columns,
      [
        { id: '1', note: 'short' },
        { id: '1000', note: null },
      ],
      80,
    ),
  ).toEqual(['ID    NOTE', '1     short', '1000  –'])
})

test('an elastic column is cut to fit the terminal', () => {
  const lines = tableLines(columns, [{ id: '1', note: 'a sentence that is far too long' }], 22)
  expect(lines[1]).toBe('1   a sentence that i…')
  expect(widthOf(lines[1] as string)).toBe(22)
})

test('where no column fits, each row becomes a block', () => {
  expect(
    tableLines(
      columns,
      [
        { id: '01890a5d', note: 'a sentence that is long' },
        { id: '2', note: 'x' },
      ],
      12,
    ),
  ).toEqual(['ID: 01890a5d', 'NOTE: a sentence that is long', '', 'ID: 2', 'NOTE: x'])
})

test('wide characters count twice and combining marks not at all', () => {
  expect(widthOf('漢字')).toBe(4)
  expect(widthOf('e\u0301')).toBe(1)
  expect(
    tableLines(
      columns,
      [
        { id: '漢', note: 'a' },
        { id: 'xyz', note: 'b' },
      ],
      80,
    ),
  ).toEqual(['ID   NOTE', '漢   a', 'xyz  b'])
})

test('what an agent wrote cannot reach the terminal as a command', () => {
  expect(tableLines(columns, [{ id: '1', note: '\u001b[2J\nnext' }], 80)[1]).toBe('1   ⟦U+001B⟧[2J⏎next')
})
