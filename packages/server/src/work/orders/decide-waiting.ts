/** What an order waits for, in one sentence, for every state. Pure. */
import type { OrderState } from '@work-manager/contract'
import type { LeaseLimitReached } from '../leases/decide-limits.ts'
import { type PauseInForce, pauseSentence } from '../pauses/decide.ts'

/** Whose move it is: an agent's, a person's, the server's own background work, or nobody's any more. */
export const movers = ['agent', 'person', 'server', 'nobody'] as const
export type Mover = (typeof movers)[number]

/** An item that nothing brings back by itself, and how it failed. */
export interface StuckItem {
  readonly id: string
  readonly attempts: number
  readonly error: { readonly code?: unknown; readonly message?: unknown; readonly class?: unknown } | null
}

export interface OrderSituation {
  readonly state: OrderState
  readonly itemsTotal: number
  readonly ready: number
  readonly leased: number
  readonly submitted: number
  readonly retrying: number
  readonly stuck: number
  readonly firstStuck: StuckItem | null
  readonly holders: readonly string[]
  readonly leaseEndsAt: string | null
  readonly retryAt: string | null
  readonly applyError: string | null
  readonly applyAttempts: number
  /** The type approves by itself, and has not tried this revision yet. */
  readonly autoApprovalAhead: boolean
  /** The type approves by itself, tried, and its checks did not pass. */
  readonly autoApprovalFailed: boolean
  /** The widest pause that stops work on it. */
  readonly pause: PauseInForce | null
  /** The limit on leases that keeps its ready items from being taken now. */
  readonly full: LeaseLimitReached | null
}

export interface Waiting {
  readonly waits_for: Mover
  readonly sentence: string
  /** What the one it waits for does. */
  readonly next: string
}

const items = (n: number): string => (n === 1 ? '1 item' : `${n} items`)

/** The first failure of those that nothing brings back: its class, its attempts and what was said, on one line and not too long. */
function firstFailure({ stuck, firstStuck }: OrderSituation): string {
  if (!firstStuck?.error) return ''
  const { code, message, class: kind } = firstStuck.error
  const said =
    typeof message === 'string'
      ? message
          .replaceAll(/\s+/g, ' ')
          .trim()
          .replace(/[.!?]+$/, '')
      : ''
  const short = said.length > 300 ? `${said.slice(0, 300)}…` : said
  const how = [...(typeof kind === 'string' ? [kind] : []), ...(typeof code === 'string' ? [`'${code.slice(0, 120)}'`] : [])].join(', ')
  const tries = `${firstStuck.attempts} ${firstStuck.attempts === 1 ? 'attempt' : 'attempts'}`
  return ` ${stuck > 1 ? `The first of ${items(stuck)}` : 'Its item'} failed after ${tries} (${how})${short === '' ? '' : `: ${short}`}.`
}

function whilePaused({ pause }: OrderSituation): Waiting | null {
  return (
    pause && {
      waits_for: 'person',
      sentence: `${pauseSentence(pause)}${/[.!?]$/.test(pause.reason) ? '' : '.'}`,
      next: 'A person lifts the pause: npx work-manager resume, or POST /pauses/lift.',
    }
  )
}

/** While items are open: the first of these that applies is what keeps the order from moving. */
function whileOpen(s: OrderSituation): Waiting {
  if (s.itemsTotal === 0)
    return {
      waits_for: 'person',
      sentence: 'The order is recorded but not planned: it has no items yet.',
      next: 'Plan it: POST /orders/{order}/plan.',
    }
  const paused = whilePaused(s)
  if (paused && s.ready + s.leased + s.retrying > 0) return paused
  const handedIn = `${s.submitted} of ${items(s.itemsTotal)} handed in`
  if (s.ready > 0 && s.full)
    return {
      waits_for: 'agent',
      sentence: `It waits for room: ${items(s.full.max)} ${s.full.limit === 'type' ? `of type '${s.full.type}'` : 'of this tenant'} under a lease are as many as may be at a time (${handedIn}).`,
      next: 'When one of them is handed in or its lease ends, an agent can take the next.',
    }
  if (s.ready > 0)
    return {
      waits_for: 'agent',
      sentence: `It waits for an agent to check out ${items(s.ready)} (${s.leased} being worked on, ${handedIn}).`,
      next: 'An agent that can do this type checks out an item.',
    }
  if (s.leased > 0)
    return {
      waits_for: 'agent',
      sentence: `It waits for ${s.holders.join(', ')} to hand in ${items(s.leased)} (${handedIn}); the first lease ends at ${s.leaseEndsAt}.`,
      next: 'The holder submits, or its lease ends and the item becomes ready again.',
    }
  if (s.retrying > 0)
    return {
      waits_for: 'server',
      sentence: `It waits for the next attempt at ${items(s.retrying)} that failed; the first is due at ${s.retryAt} (${handedIn}).`,
      next: 'The retry scheduler brings them back by itself.',
    }
  if (s.stuck > 0)
    return {
      waits_for: 'person',
      sentence: `It waits for a decision about ${items(s.stuck)} that failed for good (${handedIn}).${firstFailure(s)}`,
      next: `Requeue them with a reason (npx work-manager items requeue ${s.firstStuck?.id ?? '<item>'} --reason "…"), or cancel the order.`,
    }
  return {
    waits_for: 'server',
    sentence: `Every item is settled (${handedIn}); the order moves on within seconds.`,
    next: 'Read it again.',
  }
}

function whileSubmitted(s: OrderSituation): Waiting {
  const paused = s.autoApprovalAhead ? whilePaused(s) : null
  if (paused) return paused
  if (s.autoApprovalAhead)
    return {
      waits_for: 'server',
      sentence: 'Every item is handed in; its type approves by itself when its checks pass.',
      next: 'The auto-approver decides within seconds.',
    }
  if (s.applyError !== null)
    return {
      waits_for: 'person',
      sentence: `It was approved, but applying failed and changed nothing: ${s.applyError}`,
      next: 'A person corrects the cause and approves again, or rejects.',
    }
  return {
    waits_for: 'person',
    sentence: s.autoApprovalFailed
      ? 'Every item is handed in; the automatic approval did not pass, so it waits for a person to decide.'
      : 'Every item is handed in; it waits for a person to approve or reject it.',
    next: 'A person looks at it and decides: npx work-manager approve <order>, or POST /orders/{order}/approve.',
  }
}

const always =
  (waiting: Waiting): ((s: OrderSituation) => Waiting) =>
  () =>
    waiting
const attempts = (n: number): string => (n === 0 ? '' : ` (${n} ${n === 1 ? 'attempt' : 'attempts'} so far)`)

/** Every state has its sentence; a new state does not compile without. */
const byState: Readonly<Record<OrderState, (s: OrderSituation) => Waiting>> = {
  queued: whileOpen,
  checked_out: whileOpen,
  in_progress: whileOpen,
  submitted: whileSubmitted,
  approved: (s) =>
    whilePaused(s) ?? {
      waits_for: 'server',
      sentence: `It is approved; its changes are being applied${attempts(s.applyAttempts)}.`,
      next: 'The applier carries it out by itself.',
    },
  applied: always({ waits_for: 'server', sentence: 'Its changes are committed; it is about to be closed.', next: 'Read it again.' }),
  completed: always({ waits_for: 'nobody', sentence: 'It is done: its changes are applied.', next: 'Nothing.' }),
  rejected: always({
    waits_for: 'person',
    sentence: 'A reviewer rejected it, without sending it back.',
    next: 'Nothing, unless a person requeues it with a reason.',
  }),
  failed: (s) => ({
    waits_for: 'server',
    sentence: `It failed, because ${items(s.stuck)} could not be done.${firstFailure(s)}`,
    next: 'The dead-letterer sets it aside; a person can requeue it with a reason.',
  }),
  dead_lettered: (s) => ({
    waits_for: 'person',
    sentence: `It was set aside after failing for good.${firstFailure(s)}`,
    next: 'A person reads its case file (npx work-manager orders logs <order>) and requeues it: npx work-manager orders requeue <order> --reason "…".',
  }),
  cancelled: always({
    waits_for: 'nobody',
    sentence: 'It was cancelled before anything was applied.',
    next: 'Nothing; propose a new order to do it after all.',
  }),
}

/** The sentence for an order. */
export function explainWaiting(situation: OrderSituation): Waiting {
  return byState[situation.state](situation)
}
