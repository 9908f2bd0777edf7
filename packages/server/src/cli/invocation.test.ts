/** Hints can be typed as they stand, wherever the person is. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandPattern, invocation, spelled } from './invocation.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wm-invocation-'))
  for (const bin of ['bin', 'project/node_modules/.bin']) {
    await mkdir(path.join(folder, bin), { recursive: true })
    await writeFile(path.join(folder, bin, 'work-manager'), '#!/bin/sh\n', { mode: 0o755 })
  }
  await mkdir(path.join(folder, 'project', 'deep'))
})
afterAll(() => rm(folder, { recursive: true }))

test('the name alone where the shell finds it; with npx in a project; by its file elsewhere', () => {
  const project = path.join(folder, 'project')
  const npxPath = path.join(project, 'node_modules', '.bin')
  expect(invocation({ PATH: `/none:${folder}/bin` }, project)).toBe('work-manager')
  expect(invocation({ PATH: `/none:${npxPath}` }, path.join(project, 'deep'))).toBe('npx work-manager')
  expect(invocation({ PATH: npxPath }, folder)).toMatch(/node(\.exe)? \S+work-manager\.mjs$/)
  expect(invocation({ PATH: path.dirname(process.execPath) }, folder)).toMatch(/^node \S+work-manager\.mjs$/)
})

test('commands are respelled in a text, and nothing else', () => {
  const commands = commandPattern(['serve', 'keys'])
  const as = 'npx work-manager'
  expect(spelled('Run `work-manager serve`, then npx work-manager keys create.', commands, as)).toBe(
    'Run `npx work-manager serve`, then npx work-manager keys create.',
  )
  for (const text of [
    'work-manager.config.json',
    '/x/work-manager serve',
    'usage: work-manager keys',
    'work-manager served',
    'a work-manager key',
  ])
    expect(spelled(text, commands, as)).toBe(text)
})
