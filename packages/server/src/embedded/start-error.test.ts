/** What the file system refuses at a start, by what a person can do about it. */
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { explainFileError } from './start-error.ts'

const refused = Object.assign(new Error('refused'), { code: 'EACCES' })

it('a folder that may not be used is to be made one’s own, one that may not be made is to be somewhere else', () => {
  expect(explainFileError(refused, tmpdir())).toMatchObject({ code: 'not_permitted', fix: expect.stringContaining('chown') })
  const absent = path.join(tmpdir(), 'not-there', '.work-manager')
  expect(explainFileError(refused, absent)).toMatchObject({
    code: 'not_permitted',
    message: `No permission to make ${absent} (EACCES).`,
    fix: expect.stringMatching(/^Start in a folder of your own, .*WORK_MANAGER_DATA_DIR/),
  })
})

it('what is no refusal of the file system passes', () => {
  const error = new Error('other')
  expect(explainFileError(error, tmpdir())).toBe(error)
})
