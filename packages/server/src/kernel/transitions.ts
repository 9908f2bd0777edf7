/** The refusal of a move that the state machine of its noun does not have. Pure. */
import { allowedFrom, type Machine, type MachineNoun, machines, sourcesOf, type StateOf, WorkError } from '@work-manager/contract'

/** Refuses with: illegal_state_transition, naming the current state and the ones from which the move is legal. */
export function assertMove<Noun extends MachineNoun>(
  noun: Noun,
  from: StateOf<(typeof machines)[Noun]>,
  to: StateOf<(typeof machines)[Noun]>,
): void {
  if (!allowedFrom(noun, from).includes(to)) throw illegalMove(noun, from, to)
}

/** The refusal itself, in the predecessor's words. */
export function illegalMove(noun: MachineNoun, from: string, to: string): WorkError {
  return new WorkError('illegal_state_transition', {
    detail: `Illegal state transition for ${noun}: cannot transition from '${from}' to '${to}'`,
    extra: {
      current_state: from,
      wanted_state: to,
      allowed: allowedFrom(noun, from),
      allowed_from: sourcesOf<Machine, string>(machines[noun], to),
    },
  })
}
