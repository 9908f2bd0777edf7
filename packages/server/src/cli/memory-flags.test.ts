import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { flagsFor, smallest, usableMemory } from '../../bin/memory-flags.mjs'

const bin = fileURLToPath(new URL('../../bin/work-manager.mjs', import.meta.url))
const GIB = 1024 ** 3

/** The flags with which Node began, each time that it did: the program may start itself again in the same process. */
function beginnings(command: string) {
  const script = encodeURIComponent("console.error('flags:' + process.execArgv)")
  const { stderr } = spawnSync(bin, [command, '--help'], {
    encoding: 'utf8',
    env: {
      ...process.env,
      PATH: [path.dirname(process.execPath), process.env.PATH].join(path.delimiter),
      NODE_OPTIONS: `--import=data:text/javascript,${script}`,
    },
  })
  return stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^flags:/, '').split(','))
}

test.each([
  [0.5 * GIB, '--max-semi-space-size=8'],
  [1 * GIB, '--max-semi-space-size=16'],
  [4 * GIB, '--max-semi-space-size=32'],
])('a server that may use %d bytes has its young generation by them', (memory, young) => {
  expect(flagsFor(memory)).toContain(young)
})

test('the first line of the program has what little memory keeps', () => {
  expect(readFileSync(bin, 'utf8').split('\n')[0]).toBe(`#!/usr/bin/env -S node ${smallest.join(' ')}`)
})

test('a server starts with what this machine has room for, everything else as it is, and nothing is said about it', () => {
  const wanted = flagsFor(usableMemory())
  expect(beginnings('serve')).toEqual(String(wanted) === String(smallest) ? [smallest] : [smallest, wanted])
  expect(beginnings('keys')).toEqual([smallest])
})
