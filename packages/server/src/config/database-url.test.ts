import { describe, expect, test } from 'vitest'
import { databaseUrlProblems, holdsPassword } from './database-url.ts'

describe('databaseUrlProblems', () => {
  test.each([
    'postgres://user:password@host:5432/database',
    'postgresql://user@host/database',
    'postgres://host/database?sslmode=require',
    'postgres://role:pw@/work?host=%2Ftmp%2Fsocket&port=5432',
    'postgres://u:p%40ss@[::1]:5432/database',
  ])('%s is fine', (url) => {
    expect(databaseUrlProblems(url)).toEqual([])
  })

  test.each([
    ['mysql://u:s3cret@host/db', 'scheme mysql'],
    ['postgres://u:s3cret@home@host/db', 'write it as %40'],
    ['postgres://u:s3cret/x@host/db', 'write them as %2F'],
    ['postgres://u:s3cret#x@host/db', 'write it as %23'],
    ['postgres://u:s3cret@host:5432', 'names no database'],
    ['postgres://u:s3cret@host:5432/', 'names no database'],
    ['postgres://u:s3cret@host:port/db', 'port that is not a number'],
    ['postgres://u:s3cret@/db', 'names no host'],
    ['postgres://u:s3cret%zz@host/db', 'plain % as %25'],
    ['host=localhost password=s3cret', 'is not a connection string'],
  ])('%s is refused by part, without the password', (url, advice) => {
    const problems = databaseUrlProblems(url)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(advice)
    expect(problems.join()).not.toContain('s3cret')
  })
})

test('a password is recognised wherever it stands', () => {
  expect(holdsPassword('postgres://u:p@host/db')).toBe(true)
  expect(holdsPassword('postgres://host/db?password=p')).toBe(true)
  expect(holdsPassword('postgres://u@host:5432/db')).toBe(false)
})
