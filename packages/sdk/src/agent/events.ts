/** What an agent reports while it works, and the sum of it. */
import type { FieldError } from '../errors.ts'
import type { WorkItem } from './handler.ts'
import type { FailureClass } from './failures.ts'

export type AgentEvent =
  | { readonly kind: 'checked_out'; readonly item: WorkItem }
  | { readonly kind: 'heartbeat'; readonly item: WorkItem; readonly leaseExpiresAt: string }
  | { readonly kind: 'part_submitted'; readonly item: WorkItem; readonly key: string; readonly revision: number }
  | { readonly kind: 'submitted'; readonly item: WorkItem; readonly orderState: string | null }
  | { readonly kind: 'refused'; readonly item: WorkItem; readonly findings: readonly FieldError[]; readonly message: string }
  | {
      readonly kind: 'failed'
      readonly item: WorkItem
      readonly class: FailureClass
      readonly code: string
      readonly message: string
      readonly willRetry: boolean
      readonly error: unknown
    }
  | { readonly kind: 'lease_lost'; readonly item: WorkItem; readonly reason: string; readonly message: string }
  | { readonly kind: 'released'; readonly item: WorkItem }
  | { readonly kind: 'log'; readonly item: WorkItem; readonly message: string; readonly data: unknown }
  /** Nothing was to be had; the agent goes on asking. */
  | { readonly kind: 'idle' }
  /** The agent takes no more items; so many are still being worked on. */
  | { readonly kind: 'draining'; readonly holding: number }
  /** A call failed for now; the agent goes on. Without an item: checking out. */
  | { readonly kind: 'trouble'; readonly item: WorkItem | null; readonly error: unknown }

export interface AgentTotals {
  readonly checkedOut: number
  readonly submitted: number
  readonly refused: number
  readonly failed: number
  readonly leaseLost: number
  readonly released: number
}

const counted = {
  checked_out: 'checkedOut',
  submitted: 'submitted',
  refused: 'refused',
  failed: 'failed',
  lease_lost: 'leaseLost',
  released: 'released',
} as const

export type Emit = (event: AgentEvent) => void

/** Counts events and passes them on. A listener that throws is an uncaught error of its own and disturbs no work. */
export function startReport(onEvent: Emit | undefined): { emit: Emit; totals(): AgentTotals } {
  const totals = { checkedOut: 0, submitted: 0, refused: 0, failed: 0, leaseLost: 0, released: 0 }
  return {
    emit(event) {
      if (Object.hasOwn(counted, event.kind)) totals[counted[event.kind as keyof typeof counted]]++
      try {
        onEvent?.(event)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    },
    totals: () => ({ ...totals }),
  }
}
