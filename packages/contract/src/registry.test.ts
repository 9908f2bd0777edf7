/** The merged registries, whatever the nouns are; and the priorities of the record, written out once by hand. */
import { describe, expect, it } from 'vitest'
import { defineEvents } from './kernel/events.ts'
import type { Machine } from './kernel/machine.ts'
import { defineNoun, mergeEvents, nounsOf } from './kernel/noun.ts'
import { abilities, abilityGroups, everyFamily, eventSpecs, grants, holdsAbility, machines, nouns, stateAfter } from './registry.ts'

const names = nouns.map(({ noun }) => noun as string)

it('a system brings the nouns that it exports: those that others are parts of first, then by name', () => {
  const part = defineEvents('part', { made: { says: 'Made.', priority: 2 } }, { root: 'whole' })
  const system = {
    partMachine: { noun: 'part', title: 'Parts' },
    zebra: defineNoun({ noun: 'zebra' }),
    part: defineNoun({ noun: 'part', events: part }),
    whole: defineNoun({ noun: 'whole' }),
    states: ['open'],
    nothing: null,
  }
  expect(nounsOf(system).map(({ noun }) => noun)).toEqual(['whole', 'part', 'zebra'])
})

it('no noun is there twice, and no two bring the same kind', () => {
  expect(new Set(names).size).toBe(names.length)
  const twice = ['one', 'two'].map((noun) => defineNoun({ noun, events: defineEvents('one', { made: { says: 'Made.', priority: 2 } }) }))
  expect(() => mergeEvents(twice)).toThrow("'one.made' is defined twice, the second time by the noun 'two'.")
})

describe('kinds of events', () => {
  it.each(Object.entries(eventSpecs))('%s has a subject and a root that exist, and a sentence', (kind, { subject, root, says }) => {
    expect(kind).toMatch(new RegExp(`^${subject}\\.[a-z_]+$`))
    expect(names).toContain(subject)
    expect(names).toContain(root)
    // What keeps a root in order is the root itself, not yet another noun.
    for (const other of Object.values(eventSpecs)) if (other.subject === root) expect(other.root).toBe(root)
    expect(says).toMatch(/^[A-Z].+\.$/)
  })

  it.each(Object.keys(eventSpecs) as (keyof typeof eventSpecs)[])(
    '%s leaves its subject in a state of its machine, or moves nothing',
    (kind) => {
      const state = stateAfter(kind)
      if (state === null) return
      const { initial, states } = (machines as Record<string, Machine>)[eventSpecs[kind].subject]!
      expect(state === initial || Object.values(states).some(({ to }) => Object.hasOwn(to, state))).toBe(true)
    },
  )

  it('say where they lead when their name is no state', () => {
    expect([stateAfter('item.released'), stateAfter('order.apply_failed'), stateAfter('order.applied')]).toEqual([
      'queued',
      'submitted',
      'applied',
    ])
    expect([stateAfter('order.stale'), stateAfter('key.created')]).toEqual([null, null])
  })

  // Not derived: what is archived first must not change by a slip in one row. Younger nouns have their list in a test beside them.
  const listed = 'order item effect generator pause key tenant publisher idempotency'.split(' ')
  it.each([
    [
      0,
      `effect.unknown key.claimed key.created key.invited key.revoked key.rotated order.applied order.apply_failed order.approved order.cancelled order.rejected
       pause.lifted pause.set publisher.cursor_moved publisher.message_discarded publisher.messages_retried tenant.tier_set`,
    ],
    [
      1,
      `effect.delivered effect.failed item.dead_lettered item.failed item.submitted order.auto_approval_failed order.completed
       order.dead_lettered order.failed order.proposed order.submitted`,
    ],
    [3, 'item.heartbeat item.in_progress order.in_progress'],
  ])('P%i are exactly the agreed ones', (priority, kinds) => {
    const found = Object.entries(eventSpecs).flatMap(([kind, spec]) =>
      spec.priority === priority && listed.includes(spec.subject) ? [kind] : [],
    )
    expect(found.toSorted()).toEqual(kinds.split(/\s+/))
  })
})

describe('abilities', () => {
  it('are named family:verb, and every group has a place in the references', () => {
    for (const [name, { group, says }] of Object.entries(abilities)) {
      expect(name).toMatch(/^[a-z]+:[a-z]+$/)
      expect(abilityGroups).toContain(group)
      expect(says).toMatch(/^[A-Z].+\.$/)
    }
    for (const group of abilityGroups) expect(Object.values(abilities).map((ability) => ability.group)).toContain(group)
  })

  it('are granted singly, by family, or all together', () => {
    for (const [name] of Object.entries(abilities) as Array<[keyof typeof abilities, unknown]>) {
      const [family] = name.split(':')
      expect(everyFamily).toContain(`${family}:*`)
      for (const grant of [name, `${family}:*`, '*']) expect(holdsAbility([grant], name), grant).toBe(true)
      const others = grants.filter((grant) => ![name, `${family}:*`, '*'].includes(grant))
      expect(holdsAbility(others, name)).toBe(false)
    }
    expect(new Set(grants).size).toBe(grants.length)
  })
})

describe.each(Object.values<Machine>(machines))('the machine of $noun', ({ noun, initial, states }) => {
  it('has a noun that is in the list, and starts where it can go on', () => {
    expect(names).toContain(noun)
    expect(Object.keys(states[initial]!.to)).not.toEqual([])
  })

  it('reaches every state, and an end from every state; no state leads to itself', () => {
    const reach = (start: string): Set<string> => {
      const seen = new Set([start])
      for (const state of seen) for (const next of Object.keys(states[state]!.to)) seen.add(next)
      return seen
    }
    expect([...reach(initial)].toSorted()).toEqual(Object.keys(states).toSorted())
    for (const [state, { to }] of Object.entries(states)) {
      expect(Object.keys(to)).not.toContain(state)
      expect(
        [...reach(state)].some((end) => Object.keys(states[end]!.to).length === 0),
        state,
      ).toBe(true)
    }
  })
})
