/** The list of operations itself: what every verb must bring, whatever it does. */
import { existsSync, readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { errorCatalogue } from '@work-manager/contract'
import { describe, expect, it } from 'vitest'
import { operations, systems } from './systems.ts'

const root = new URL('.', import.meta.url).pathname
const kebab = (name: string): string => name.replaceAll('_', '-')
const camel = (name: string): string => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

/** Operation → the file that defines it. */
const files = new Map<string, string>()
for await (const file of glob('**/*.ts', { cwd: root }))
  if (!file.endsWith('.test.ts') && !file.startsWith('kernel/'))
    for (const [, constant, name] of readFileSync(`${root}${file}`, 'utf8').matchAll(
      /export const (\w+) = defineOperation\(\{\s*name: '(\w+)'/g,
    )) {
      expect(constant, `${file}: the constant of ${name}`).toBe(camel(name!))
      files.set(name!, file)
    }

it('every operation that is defined is in the list, once', () => {
  const listed = operations.map(({ name }) => name)
  expect(listed.toSorted()).toEqual([...files.keys()].toSorted())
  expect(new Set(listed).size).toBe(listed.length)
})

it.each(systems.flatMap(({ name, nouns }) => nouns.map((noun) => ({ system: name, noun }))))(
  'the verbs of $noun.name stand in its folder',
  ({ system, noun }) => {
    const folder = noun.name === system ? system : `${system}/${noun.name}`
    for (const { name } of noun.operations ?? []) expect(files.get(name)).toBe(`${folder}/${kebab(name)}.ts`)
  },
)

describe.each(operations)('$name', ({ name, refuses }) => {
  it('is a file of its name', () => {
    expect(files.get(name)?.split('/').at(-1)).toBe(`${kebab(name)}.ts`)
  })

  it('has a test of its name beside it', () => {
    const test = files.get(name)!.replace(/\.ts$/, '.test.ts')
    expect(existsSync(`${root}${test}`), test).toBe(true)
    expect(readFileSync(`${root}${test}`, 'utf8')).toMatch(/\b(describeVerb|it|test)(\.each\(|\()/)
  })

  it('refuses with codes that the catalogue has, each once', () => {
    for (const code of refuses) expect(Object.keys(errorCatalogue)).toContain(code)
    expect(new Set(refuses).size).toBe(refuses.length)
  })
})
