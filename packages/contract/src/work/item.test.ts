import { expect, it } from 'vitest'
import { statesTagged } from '../kernel/machine.ts'
import { itemMachine } from './item.ts'

// Written out by hand, not derived: a slip in the machine must not slip through here as well.
const legal: Record<string, string[]> = {
  queued: ['leased', 'failed', 'cancelled'],
  leased: ['in_progress', 'queued', 'failed', 'cancelled'],
  in_progress: ['submitted', 'queued', 'failed', 'cancelled'],
  submitted: ['accepted', 'rejected', 'cancelled'],
  accepted: ['completed'],
  completed: [],
  rejected: ['queued', 'cancelled'],
  failed: ['queued', 'dead_lettered', 'cancelled'],
  dead_lettered: ['queued'],
  cancelled: [],
}

it('has exactly the agreed states and moves', () => {
  expect(Object.entries(itemMachine.states).map(([state, { to }]) => [state, Object.keys(to)])).toEqual(Object.entries(legal))
  expect(itemMachine.initial).toBe('queued')
})

it('whoever asks by tag gets the agreed states', () => {
  expect(statesTagged(itemMachine, 'open')).toEqual(['queued', 'leased', 'in_progress'])
  expect(statesTagged(itemMachine, 'held')).toEqual(['leased', 'in_progress'])
  expect(statesTagged(itemMachine, 'handed_in')).toEqual(['submitted', 'accepted', 'completed'])
  expect(statesTagged(itemMachine, 'decidable')).toEqual(['submitted', 'dead_lettered'])
  expect(statesTagged(itemMachine, 'closed')).toEqual(['submitted', 'accepted', 'completed', 'dead_lettered', 'cancelled'])
  expect(statesTagged(itemMachine, 'revivable')).toEqual(['rejected', 'failed', 'dead_lettered'])
})
