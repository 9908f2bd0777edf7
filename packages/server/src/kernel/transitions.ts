/** The state tables as decisions. Pure. */
import { allowedFrom, type ItemState, machines, type OrderState, WorkError } from '@work-manager/contract'

const sources = (machine: 'order' | 'item', to: string): string[] =>
  Object.entries(machines[machine].states).flatMap(([from, spec]) => (Object.hasOwn(spec.to, to) ? [from] : []))

/** Refuses with: illegal_state_transition, naming the current state and the ones from which the move is legal. */
export function assertOrderMove(from: OrderState, to: OrderState): void {
  if (!allowedFrom('order', from).includes(to)) throw illegalMove('order', from, to)
}

export function assertItemMove(from: ItemState, to: ItemState): void {
  if (!allowedFrom('item', from).includes(to)) throw illegalMove('item', from, to)
}

/** The refusal itself, in the predecessor's words. */
export function illegalMove(machine: 'order' | 'item', from: string, to: string): WorkError {
  return new WorkError('illegal_state_transition', {
    detail: `Illegal state transition for ${machine}: cannot transition from '${from}' to '${to}'`,
    extra: { current_state: from, wanted_state: to, allowed: allowedFrom(machine, from), allowed_from: sources(machine, to) },
  })
}
