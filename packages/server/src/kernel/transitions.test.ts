import { allowedFrom, type Machine, type MachineNoun, machines, WorkError } from '@work-manager/contract'
import { describe, expect, it } from 'vitest'
import { assertMove } from './transitions.ts'

const refusalOf = (move: () => void): WorkError | null => {
  try {
    move()
    return null
  } catch (error) {
    return error as WorkError
  }
}

// Which moves are legal is written out by hand beside each noun, in packages/contract; here: what a refused one says.
describe.each(Object.values<Machine>(machines))('the machine of $noun', ({ noun, states: table }) => {
  const states = Object.keys(table)
  it.each(states.flatMap((from) => states.map((to) => [from, to] as const)))('%s → %s', (from, to) => {
    const refusal = refusalOf(() => assertMove(noun as MachineNoun, from as never, to as never))
    if (Object.hasOwn(table[from]!.to, to)) return expect(refusal).toBeNull()
    expect(refusal).toBeInstanceOf(WorkError)
    expect(refusal).toMatchObject({ code: 'illegal_state_transition' })
    expect(refusal!.details.detail).toBe(`Illegal state transition for ${noun}: cannot transition from '${from}' to '${to}'`)
    expect(refusal!.details.extra).toEqual({
      current_state: from,
      wanted_state: to,
      allowed: allowedFrom(noun as MachineNoun, from),
      allowed_from: states.filter((state) => Object.hasOwn(table[state]!.to, to)),
    })
  })
})
