/**
 * The database asks about states by the tags of the machines. Functions call `wm.<noun>_is_<tag>`; what must stand as a literal
 * (predicates of indexes, checks, generated columns) is compared with the tags here.
 */
import { type Machine, machines } from '@work-manager/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'

/** Sets of states that are no tag, and why each may stand. */
const ownSets: Record<string, string> = {
  orders_waiting_idx: 'what the sweeps look for: submitted by the auto-approver, approved by the applier, failed by the dead-letterer',
}

let database: TestDatabase
let compared = 0
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

const inOrder = (states: Iterable<string>): string => [...states].toSorted().join(' ')
/** Every set of several states that an expression compares the state with. */
const stateSets = (expression: string): string[] =>
  [...expression.matchAll(/\bstate = ANY \(ARRAY\[([^\]]+)\]/g)].map(([, list = '']) =>
    inOrder([...list.matchAll(/'(\w+)'/g)].map(([, state = '']) => state)),
  )

describe.each(Object.values<Machine>(machines))('the table of $noun', ({ noun, table, states }) => {
  const tags = Map.groupBy(
    Object.entries(states).flatMap(([state, spec]) => (spec.tags ?? []).map((tag) => ({ state, tag }))),
    ({ tag }) => tag,
  )
  const sets = new Map([...tags].map(([tag, entries]) => [inOrder(entries.map(({ state }) => state)), tag]))

  it('has a state that begins and moves by the machine', async () => {
    const triggers = await database.sql<{ name: string }>(
      `select tgname as name from pg_trigger where tgrelid = 'wm.${table}'::regclass and tgfoid = 'wm.guard_${noun}_state'::regproc order by 1`,
    )
    expect(triggers.map(({ name }) => name)).toEqual([`${table}_state_insert`, `${table}_state_update`])
  })

  it('compares its state in indexes, checks and generated columns with what a tag stands for', async () => {
    const expressions = await database.sql<{ name: string; text: string }>(`
      select indexrelid::regclass::text as name, pg_get_expr(indpred, indrelid) as text from pg_index where indrelid = 'wm.${table}'::regclass and indpred is not null
      union all select conname, pg_get_constraintdef(oid) from pg_constraint where conrelid = 'wm.${table}'::regclass and contype = 'c'
      union all select adnum::text, pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = 'wm.${table}'::regclass`)
    const found = expressions.flatMap(({ name, text }) => stateSets(text).map((set) => ({ name: name.replace(/^wm\./, ''), set })))
    compared += found.length
    for (const { name, set } of found) if (ownSets[name] === undefined) expect([...sets.keys()], `${name} of wm.${table}`).toContain(set)
  })

  it('is asked by a function of each tag', async () => {
    for (const [tag, entries] of tags) {
      const rows = await database.sql<{ state: string }>(`select state from unnest($1::text[]) state where wm.${noun}_is_${tag}(state)`, [
        Object.keys(states),
      ])
      expect(rows.map(({ state }) => state)).toEqual(entries.map(({ state }) => state))
    }
  })
})

it('something was compared at all', () => expect(compared).toBeGreaterThan(2))

it('no other function lists states by hand', async () => {
  const known = new Set(Object.values<Machine>(machines).flatMap(({ states }) => Object.keys(states)))
  const functions = await database.sql<{ name: string; text: string }>(
    `select proname as name, prosrc as text from pg_proc where pronamespace = 'wm'::regnamespace and proname !~ '_is_|^guard_'`,
  )
  const lists = functions.flatMap(({ name, text }) =>
    [...text.matchAll(/\b(?:not )?in \(('\w+'(?:, '\w+')+)\)/g)]
      .filter(([, list = '']) => list.split(', ').every((state) => known.has(state.slice(1, -1))))
      .map(([list]) => `${name}: ${list}`),
  )
  expect(lists).toEqual([])
})
