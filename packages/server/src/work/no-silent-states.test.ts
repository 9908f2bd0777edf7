/** What the contract promises is written somewhere: every kind of fact, every error code, every move of the state tables. */
import { glob, readFile } from 'node:fs/promises'
import { errorCatalogue, eventSpecs, machines } from '@work-manager/contract'
import { beforeAll, describe, expect, it } from 'vitest'

const server = new URL('../../', import.meta.url).pathname
let source = ''
beforeAll(async () => {
  const files: string[] = []
  for await (const file of glob(['src/**/*.ts', 'migrations/routines/*.sql'], { cwd: server }))
    if (!/\.test\.ts$|00_guards\.sql$/.test(file)) files.push(file)
  source = (await Promise.all(files.map((file) => readFile(`${server}${file}`, 'utf8')))).join('\n')
})

describe('every kind of fact is written by some code', () => {
  it.each(Object.keys(eventSpecs))('%s', (kind) => expect(source.includes(`'${kind}'`)).toBe(true))

  it('and nothing writes a kind that the contract does not have', () => {
    const written = [...source.matchAll(/kind: '([a-z]+\.[a-z_]+)'/g)].map((match) => match[1])
    expect(written.length).toBeGreaterThan(20)
    for (const kind of written) expect(Object.keys(eventSpecs)).toContain(kind)
  })
})

describe('every error code is raised by some code', () => {
  it.each(Object.keys(errorCatalogue))('%s', (code) => expect(source.includes(`'${code}'`)).toBe(true))

  it('and nothing raises a code that the catalogue does not have', () => {
    for (const [, code] of source.matchAll(/new WorkError\(\s*'([a-z_]+)'/g)) expect(Object.keys(errorCatalogue)).toContain(code)
  })
})

describe('every state', () => {
  it.each(
    Object.entries(machines).flatMap(([machine, { states }]) =>
      Object.entries(states).map(([state, spec]) => [`${machine} ${state}`, machine, state, spec] as const),
    ),
  )('%s can be reached, and left unless it is final', (_name, machine, state, spec) => {
    const { initial, states } = machines[machine as keyof typeof machines]
    const reached = state === initial || Object.values(states).some((other) => state in other.to)
    expect(reached).toBe(true)
    expect(Object.keys(spec.to).length > 0 || ['completed', 'cancelled'].includes(state)).toBe(true)
  })

  it('is announced by a fact of its own or of its move', () => {
    const announced = (machine: string, state: string) => `${machine}.${state}` in eventSpecs
    const others: Record<string, string> = { 'order.queued': 'order.requeued', 'item.queued': 'item.requeued' }
    for (const [machine, { states }] of Object.entries(machines))
      for (const state of Object.keys(states))
        expect(announced(machine, state) || (others[`${machine}.${state}`] ?? '') in eventSpecs, `${machine}.${state}`).toBe(true)
  })
})
