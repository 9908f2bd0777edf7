/**
 * What the contract promises happens somewhere: every kind of event is written, every error code is raised, every state has an event
 * that announces it. Read from the source without its comments: a word that is only compared with, listed or explained proves nothing.
 */
import { glob, readFile } from 'node:fs/promises'
import { type EventKind, errorCatalogue, eventSpecs, type Machine, machines, stateAfter } from '@work-manager/contract'
import { beforeAll, describe, expect, it } from 'vitest'

const server = new URL('../../', import.meta.url).pathname
const kindPattern = /'([a-z]+\.[a-z_]+)'/g
let written = new Set<string>()
let raised = new Set<string>()

const withoutComments = (file: string, text: string): string =>
  file.endsWith('.sql') ? text.replaceAll(/--.*/g, '') : text.replaceAll(/(?<=^|\s)\/\*[^]*?\*\/|(?<=^|\s)\/\/.*/gm, '')

/** Kinds in places that can only ask: comparisons, lists, cases, keys of a table. */
const withoutQuestions = (source: string): string =>
  source
    .replaceAll(/(?:[=!]==|=|<>)\s*'[a-z_.]+'/g, '')
    .replaceAll(/(?:\[|\bin \()(?:\s*'[a-z_.]+',?)+\s*[\])]/g, '')
    .replaceAll(/\bcase\s+'[a-z_.]+'|'[a-z_.]+':/g, '')

/** The codes that `new WorkError('…'`, also with a choice of two, and the constructors of its subclasses give. */
const raisedIn = (source: string): string[] =>
  [...source.matchAll(/(?:new WorkError|(?<=extends WorkError \{(?:(?!\bclass\b)[^])*)super)\(\s*([^,)]+)/g)].flatMap(([, first = '']) =>
    [...first.matchAll(/'([a-z_]+)'(?!\s*\?)/g)].map(([, code = '']) => code),
  )

beforeAll(async () => {
  const sources: string[] = []
  for await (const file of glob(['src/**/*.ts', 'migrations/routines/*.sql'], { cwd: server }))
    if (!/\.test\.ts$|00_guards\.sql$/.test(file)) sources.push(withoutComments(file, await readFile(`${server}${file}`, 'utf8')))
  written = new Set(sources.flatMap((source) => [...withoutQuestions(source).matchAll(kindPattern)].map(([, kind = '']) => kind)))
  raised = new Set(sources.flatMap(raisedIn))
})

describe('the reading of the source', () => {
  it('takes neither a question nor a comment for an event', () => {
    const asks = `if (kind === 'order.a') x(['order.b', 'order.c']); switch (k) { case 'order.d': } const t = { 'order.e': 1 }`
    expect([...withoutQuestions(asks).matchAll(kindPattern)]).toEqual([])
    expect([
      ...withoutQuestions(`select x.id from x where x.kind in ('order.a', 'order.b') and x.kind = 'order.c'`).matchAll(kindPattern),
    ]).toEqual([])
    expect(withoutComments('a.ts', `/** 'order.a' */\nconst a = 1 // 'order.b'`)).toBe('\nconst a = 1 ')
    expect([...withoutQuestions(`event('order.f'); ({ kind: 'order.g' })`).matchAll(kindPattern)]).toHaveLength(2)
  })

  it('takes a code for raised only where an error is made of it', () => {
    expect(raisedIn(`if (error.code === 'busy' || codes.includes('draining')) return 'paused'`)).toEqual([])
    expect(raisedIn(`throw new WorkError('busy', { retryAfterSeconds: 1 })`)).toEqual(['busy'])
    expect(raisedIn(`new WorkError(late ? 'lease_expired' : 'lease_lost')`)).toEqual(['lease_expired', 'lease_lost'])
    expect(raisedIn(`class Full extends WorkError {\n constructor() {\n super('rate_limited', {`)).toEqual(['rate_limited'])
  })
})

describe('every kind of event is written by some code', () => {
  it.each(Object.keys(eventSpecs))('%s', (kind) => expect(written).toContain(kind))

  it('and nothing writes a kind that the contract does not have', () => {
    const nouns = new Set(Object.values(eventSpecs).map(({ subject }) => subject))
    const strangers = [...written].filter((kind) => nouns.has(kind.split('.', 1)[0]!) && !Object.hasOwn(eventSpecs, kind))
    expect(strangers).toEqual([])
  })
})

describe('every error code is raised by some code', () => {
  it.each(Object.keys(errorCatalogue))('%s', (code) => expect(raised).toContain(code))
})

describe.each(Object.values<Machine>(machines))('the states of $noun', ({ noun, initial, states }) => {
  it.each(Object.keys(states).filter((state) => state !== initial))('%s is announced by an event that leaves the noun in it', (state) => {
    const kinds = (Object.keys(eventSpecs) as EventKind[]).filter((kind) => eventSpecs[kind].subject === noun)
    expect(kinds.map(stateAfter)).toContain(state)
  })

  it(`${initial} is announced by what makes or brings back`, () => {
    const kinds = Object.entries(eventSpecs).filter(([kind, { subject }]) => subject === noun && !(kind.slice(noun.length + 1) in states))
    expect(kinds).not.toEqual([])
  })
})
