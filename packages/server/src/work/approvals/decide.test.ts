import { orderStates, WorkError } from '@work-manager/contract'
import { describe, expect, it } from 'vitest'
import { assertMayApprove, assertReadyForApproval, type Decider, type Involvement } from './decide.ts'

const codeOf = (decide: () => void): string | null => {
  try {
    decide()
    return null
  } catch (error) {
    return (error as WorkError).code
  }
}
const involvement = (changes: Partial<Involvement> = {}): Involvement => ({
  proposedBy: 'service:crm',
  submittedBy: ['agent:robin'],
  selfApproval: 'refuse',
  ...changes,
})
const rita: Decider = { principal: 'person:rita', kind: 'person' }

describe('who may approve', () => {
  it.each<[string, Decider, Involvement, string | null]>([
    ['a person who took no part', rita, involvement(), null],
    ['a person who proposed it', rita, involvement({ proposedBy: 'person:rita' }), 'separation_of_duties'],
    ['a person who handed in work', rita, involvement({ submittedBy: ['agent:robin', 'person:rita'] }), 'separation_of_duties'],
    ['that person, where the type allows it', rita, involvement({ proposedBy: 'person:rita', selfApproval: 'allow' }), null],
    ['an agent', { principal: 'agent:sam', kind: 'agent' }, involvement(), 'agents_cannot_decide'],
    ['a service', { principal: 'service:other', kind: 'service' }, involvement(), 'agents_cannot_decide'],
    [
      'an agent, even where self-approval is allowed',
      { principal: 'agent:sam', kind: 'agent' },
      involvement({ selfApproval: 'allow' }),
      'agents_cannot_decide',
    ],
    ['an agent that bears the name of a person', { principal: 'agent:rita', kind: 'agent' }, involvement(), 'agents_cannot_decide'],
    ['the system, by the policy of the type', { principal: 'system:auto-approver', kind: 'system' }, involvement(), null],
  ])('%s', (_who, decider, involved, code) => expect(codeOf(() => assertMayApprove(decider, involved))).toBe(code))

  it('a namesake of another kind is somebody else', () => {
    expect(codeOf(() => assertMayApprove(rita, involvement({ proposedBy: 'service:rita', submittedBy: ['agent:rita'] })))).toBeNull()
  })
})

describe('when an order is ready', () => {
  const finding = { field: 'items.0.ok', code: 'not_ok', message: 'Every echo must be ok.' }
  it.each(orderStates)('in state %s', (state) => {
    const code =
      state === 'submitted'
        ? null
        : ['queued', 'checked_out', 'in_progress'].includes(state)
          ? 'not_ready_for_approval'
          : 'illegal_state_transition'
    expect(codeOf(() => assertReadyForApproval(state, 2, []))).toBe(code)
    // Findings are only about a submitted order; they never hide the reason why another one cannot be approved.
    expect(codeOf(() => assertReadyForApproval(state, 2, [finding]))).toBe(code ?? 'not_ready_for_approval')
  })
})
