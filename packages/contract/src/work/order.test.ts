import { expect, it } from 'vitest'
import { sourcesOf, statesTagged } from '../kernel/machine.ts'
import { orderMachine } from './order.ts'

// Written out by hand, not derived: a slip in the machine must not slip through here as well.
const legal: Record<string, string[]> = {
  queued: ['checked_out', 'submitted', 'failed', 'cancelled'],
  checked_out: ['in_progress', 'queued', 'submitted', 'failed', 'cancelled'],
  in_progress: ['queued', 'submitted', 'failed', 'cancelled'],
  submitted: ['approved', 'rejected', 'cancelled'],
  approved: ['applied', 'submitted', 'cancelled'],
  applied: ['completed'],
  completed: [],
  rejected: ['queued', 'cancelled'],
  failed: ['queued', 'dead_lettered'],
  dead_lettered: ['queued'],
  cancelled: [],
}

it('has exactly the agreed states and moves', () => {
  expect(Object.entries(orderMachine.states).map(([state, { to }]) => [state, Object.keys(to)])).toEqual(Object.entries(legal))
  expect(orderMachine.initial).toBe('queued')
})

it('only a decision leads to apply, an applied order goes nowhere but to completed', () => {
  expect(sourcesOf(orderMachine, 'approved')).toEqual(['submitted'])
  expect(sourcesOf(orderMachine, 'applied')).toEqual(['approved'])
  expect(Object.keys(orderMachine.states.applied.to)).toEqual(['completed'])
})

it('whoever asks by tag gets the agreed states', () => {
  expect(statesTagged(orderMachine, 'open')).toEqual(['queued', 'checked_out', 'in_progress'])
  expect(statesTagged(orderMachine, 'working')).toEqual(['checked_out', 'in_progress'])
  expect(statesTagged(orderMachine, 'watched')).toEqual(['queued', 'checked_out', 'in_progress', 'submitted', 'approved'])
  expect(statesTagged(orderMachine, 'decided')).toEqual(['approved', 'applied', 'completed'])
  expect(statesTagged(orderMachine, 'settled')).toEqual(['completed', 'rejected', 'failed', 'dead_lettered', 'cancelled'])
  expect(statesTagged(orderMachine, 'revivable')).toEqual(['rejected', 'failed', 'dead_lettered'])
})
