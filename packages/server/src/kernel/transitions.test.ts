import { allowedFrom, itemMachine, itemStates, machines, orderMachine, orderStates, WorkError } from '@work-manager/contract'
import { describe, expect, it } from 'vitest'
import { assertItemMove, assertOrderMove } from './transitions.ts'

// Written out by hand, not derived: a slip in the machine must not slip through here as well.
const legalOrderMoves: Record<string, string[]> = {
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
const legalItemMoves: Record<string, string[]> = {
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

const refusalOf = (move: () => void): WorkError | null => {
  try {
    move()
    return null
  } catch (error) {
    return error as WorkError
  }
}

describe.each([
  {
    machine: 'order' as const,
    states: orderStates as string[],
    legal: legalOrderMoves,
    move: (from: string, to: string) => assertOrderMove(from as never, to as never),
  },
  {
    machine: 'item' as const,
    states: itemStates as string[],
    legal: legalItemMoves,
    move: (from: string, to: string) => assertItemMove(from as never, to as never),
  },
])('the $machine machine', ({ machine, states, legal, move }) => {
  it('knows exactly the agreed states', () => expect(states).toEqual(Object.keys(legal)))

  it.each(states.flatMap((from) => states.map((to) => [from, to] as const)))('%s → %s', (from, to) => {
    const refusal = refusalOf(() => move(from, to))
    if (legal[from]!.includes(to)) return expect(refusal).toBeNull()
    expect(refusal).toBeInstanceOf(WorkError)
    expect(refusal).toMatchObject({ code: 'illegal_state_transition' })
    expect(refusal!.details.detail).toBe(`Illegal state transition for ${machine}: cannot transition from '${from}' to '${to}'`)
    expect(refusal!.details.extra).toEqual({
      current_state: from,
      wanted_state: to,
      allowed: legal[from],
      allowed_from: states.filter((state) => legal[state]!.includes(to)),
    })
  })

  it('starts as queued, and every state can be reached and can end', () => {
    expect(machines[machine].initial).toBe('queued')
    const reach = (start: string): Set<string> => {
      const seen = new Set([start])
      for (const state of seen) for (const next of allowedFrom(machine, state)) seen.add(next)
      return seen
    }
    expect([...reach('queued')].toSorted()).toEqual(states.toSorted())
    for (const state of states)
      expect(
        [...reach(state)].some((end) => allowedFrom(machine, end).length === 0),
        state,
      ).toBe(true)
  })
})

describe('what can never happen', () => {
  it('an applied order goes nowhere but to completed, and completed and cancelled are final', () => {
    expect(Object.keys(orderMachine.states.applied.to)).toEqual(['completed'])
    for (const final of ['completed', 'cancelled'] as const) {
      expect(orderMachine.states[final].to).toEqual({})
      expect(itemMachine.states[final].to).toEqual({})
    }
  })

  it('no state leads to itself, and only a decision leads to apply', () => {
    for (const state of orderStates) expect(allowedFrom('order', state)).not.toContain(state)
    for (const state of itemStates) expect(allowedFrom('item', state)).not.toContain(state)
    expect(orderStates.filter((state) => allowedFrom('order', state).includes('applied'))).toEqual(['approved'])
    expect(orderStates.filter((state) => allowedFrom('order', state).includes('approved'))).toEqual(['submitted'])
  })
})
