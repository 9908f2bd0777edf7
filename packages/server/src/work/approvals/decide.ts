/** Who may decide, and whether an order is ready. Pure. */
import { type FieldError, orderIs, type OrderState, WorkError } from '@work-manager/contract'
import { illegalMove } from '../../kernel/transitions.ts'

export interface Decider {
  /** `kind:id` of the credential. */
  readonly principal: string
  readonly kind: 'agent' | 'person' | 'service' | 'system'
}

export interface Involvement {
  readonly proposedBy: string
  /** Principals that ever handed in a submission or a part of the order, in any revision. */
  readonly submittedBy: readonly string[]
  /** Principals that ever held a lease on an item of it. */
  readonly heldBy?: readonly string[]
  /** Those of them whose hands are in the key that decides. */
  readonly makersOfKey?: readonly string[]
  /** Persons among them, a key of whom whoever decides made or rotated. */
  readonly madeByDecider?: readonly string[]
  readonly selfApproval: 'refuse' | 'allow'
}

/** Refuses with: agents_cannot_decide, separation_of_duties. */
export function assertMayApprove(decider: Decider, involvement: Involvement): void {
  if (decider.kind === 'system') return
  if (decider.kind !== 'person')
    throw new WorkError('agents_cannot_decide', {
      detail: `The key belongs to ${decider.kind === 'agent' ? 'an agent' : 'a service'}; only a person can approve.`,
    })
  if (involvement.selfApproval === 'allow') return
  const acts = [
    ...(involvement.proposedBy === decider.principal ? ['proposed the order'] : []),
    ...(involvement.submittedBy.includes(decider.principal)
      ? ['handed in work on it']
      : involvement.heldBy?.includes(decider.principal)
        ? ['held an item of it']
        : []),
  ]
  const oneHand = [
    ...(involvement.makersOfKey ?? []).map((maker) => `your key was made or rotated by ${maker}, who took part in the order`),
    ...(involvement.madeByDecider ?? []).map((person) => `you made or rotated a key of ${person}, who took part in the order`),
  ]
  if (acts.length === 0 && oneHand.length > 0)
    throw new WorkError('separation_of_duties', {
      detail: `Somebody else must approve it: ${oneHand.join(', and ')}.`,
      extra: { conflicts: oneHand },
    })
  if (acts.length > 0)
    throw new WorkError('separation_of_duties', {
      detail: `You ${acts.join(' and ')}, so another person must approve it.`,
      extra: { conflicts: acts },
    })
}

/** Refuses with: not_ready_for_approval while work is open; illegal_state_transition in any other state than submitted. */
export function assertReadyForApproval(state: OrderState, openItems: number, findings: readonly FieldError[]): void {
  if (orderIs.open(state))
    throw new WorkError('not_ready_for_approval', {
      detail: `Order is not ready for approval: ${openItems} of its items ${openItems === 1 ? 'is' : 'are'} not handed in yet.`,
      extra: { current_state: state },
    })
  if (state !== 'submitted') throw illegalMove('order', state, 'approved')
  if (findings.length > 0)
    throw new WorkError('not_ready_for_approval', {
      detail: `Order is not ready for approval: ${findings[0]!.message}`,
      errors: findings,
      extra: { current_state: state },
    })
}
