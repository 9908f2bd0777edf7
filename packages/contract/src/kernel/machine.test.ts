import { expect, it } from 'vitest'
import { defineMachine, type Next, sourcesOf, statesOf, statesTagged, tagTests } from './machine.ts'

const lamp = defineMachine({
  noun: 'lamp',
  title: 'Lamps',
  table: 'lamps',
  initial: 'off',
  enters: 'buy',
  states: {
    off: { doc: 'Dark.', rescued_by: [], tags: ['usable'], to: { on: 'switch', broken: 'fall' } },
    on: { doc: 'Bright.', rescued_by: ['timer'], tags: ['usable', 'warm'], to: { off: 'switch' } },
    broken: { doc: 'Final.', rescued_by: [], to: {} },
  },
})

it('lists states by tag and by where they lead', () => {
  expect(statesOf(lamp)).toEqual(['off', 'on', 'broken'])
  expect(statesTagged(lamp, 'usable')).toEqual(['off', 'on'])
  expect(statesTagged(lamp, 'warm')).toEqual(['on'])
  expect(sourcesOf(lamp, 'off')).toEqual(['on'])
  expect(statesOf(lamp).filter(tagTests(lamp).usable)).toEqual(['off', 'on'])
})

it('compiles legal moves, tags and tables only', () => {
  const move = <From extends keyof typeof lamp.states>(from: From, to: Next<typeof lamp, From>) => `${from}>${to}`
  const somewhere = 'on' as 'off' | 'on'
  expect([move('off', 'broken'), move(somewhere, 'off')]).toHaveLength(2)
  // @ts-expect-error a broken lamp goes nowhere
  move('broken', 'on')
  // @ts-expect-error one that is on does not break
  move('on', 'broken')
  // @ts-expect-error no state of a lamp carries this tag
  expect(statesTagged(lamp, 'loud')).toEqual([])
  const head = { noun: 'door', title: 'Doors', table: 'doors', initial: 'shut', enters: 'build' } as const
  // @ts-expect-error the move leads to a state that the table does not have
  defineMachine({ ...head, states: { shut: { doc: '', rescued_by: [], to: { ajar: 'push' } } } })
  // @ts-expect-error it begins in a state that the table does not have
  defineMachine({ ...head, initial: 'open', states: { shut: { doc: '', rescued_by: [], to: {} } } })
  // @ts-expect-error every state says who looks after it
  defineMachine({ ...head, states: { shut: { doc: '', to: {} } } })
})
