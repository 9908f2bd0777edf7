import { expect, it } from 'vitest'
import { cursorSeal, decodeCursor, encodeCursor, positionPattern } from './cursor.ts'

const secret = Buffer.alloc(32, 7)
const mine = cursorSeal(secret, '01890a5d-ac96-774b-bcce-b302099a8057')
const codeOf = (decode: () => unknown): string | null => {
  try {
    decode()
    return null
  } catch (error) {
    return (error as { code: string }).code
  }
}

it('is read by the tenant and the list that it is of', () => {
  expect(decodeCursor(mine, 'record', encodeCursor(mine, 'record', [42]), [positionPattern])).toEqual(['42'])
})

it.each<[string, () => unknown]>([
  ['of another list', () => decodeCursor(mine, 'orders', encodeCursor(mine, 'record', [42]), [positionPattern])],
  [
    'of another tenant',
    () =>
      decodeCursor(mine, 'record', encodeCursor(cursorSeal(secret, '01890a5d-ac96-774b-bcce-b302099a8058'), 'record', [42]), [
        positionPattern,
      ]),
  ],
  [
    'of another server',
    () =>
      decodeCursor(mine, 'record', encodeCursor(cursorSeal(Buffer.alloc(32, 8), '01890a5d-ac96-774b-bcce-b302099a8057'), 'record', [42]), [
        positionPattern,
      ]),
  ],
  [
    'edited',
    () => {
      const [, mac] = encodeCursor(mine, 'record', [42]).split('.')
      const other = Buffer.from(JSON.stringify([9_999_999_999, 1])).toString('base64url')
      return decodeCursor(mine, 'record', `${other}.${mac}`, [positionPattern])
    },
  ],
  ['without its signature', () => decodeCursor(mine, 'record', encodeCursor(mine, 'record', [42]).split('.')[0]!, [positionPattern])],
  ['that says something else', () => decodeCursor(mine, 'record', encodeCursor(mine, 'record', ['x']), [positionPattern])],
  [
    'of the form of earlier versions',
    () => decodeCursor(mine, 'record', Buffer.from('["abc",42]').toString('base64url'), [positionPattern]),
  ],
])('is refused %s', (_what, decode) => expect(codeOf(decode)).toBe('cursor_invalid'))

it('ends after a day, and says so', () => {
  const cursor = encodeCursor(mine, 'record', [42], Date.now() - 25 * 3_600_000)
  expect(codeOf(() => decodeCursor(mine, 'record', cursor, [positionPattern]))).toBe('cursor_expired')
  expect(
    codeOf(() => decodeCursor(mine, 'record', encodeCursor(mine, 'record', [42], Date.now() - 23 * 3_600_000), [positionPattern])),
  ).toBeNull()
})
