import { expect, test } from 'vitest'
import { commonMessage, groupFailures } from './group-failures.ts'

test.each([
  ['Row 17 of 2000 is wrong', 'Row <n> of <n> is wrong'],
  ['GET https://shop.example/p/17?x=1 answered 503 after 1.25 s', 'GET <url> answered <n> after <n> s'],
  ['order 01890a5d-ac96-774b-bcce-b302099a8057 is gone', 'order <id> is gone'],
  [`no "price" for 'lamp' in \`shop\`, it doesn't exist`, "no <text> for <text> in <text>, it doesn't exist"],
  ['two\n  lines', 'two lines'],
])('what differs from case to case is taken out: %s', (said, common) => {
  expect(commonMessage(said)).toBe(common)
})

test('failures of one cause are one pattern, with its first and last time and a few examples; another code, class or type is another', () => {
  const one = { kind: 'item.failed', type: 'a', class: 'transient', code: 'down', message: 'HTTP 503', subject_id: 'i', at: '' }
  const rows = [5, 4, 3, 2, 1].map((n) => ({ ...one, message: `HTTP 50${n}`, subject_id: `i${n}`, at: `t${n}` }))
  const [most, ...others] = groupFailures([{ ...one, code: 'x' }, { ...one, class: null }, { ...one, type: 'b' }, ...rows])
  expect(most).toEqual({
    kind: 'item.failed',
    type: 'a',
    class: 'transient',
    code: 'down',
    message: 'HTTP <n>',
    count: 5,
    first_seen: 't1',
    last_seen: 't5',
    examples: ['i5', 'i4', 'i3'],
  })
  expect(others.map(({ count }) => count)).toEqual([1, 1, 1])
})
