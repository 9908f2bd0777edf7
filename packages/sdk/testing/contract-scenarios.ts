/** The shape of sdks/contract/scenarios.json. */
import type { Part } from '../src/index.ts'

export interface Step {
  readonly do: string
  readonly result?: object
  readonly evidence?: object[]
  readonly notes?: string
  readonly parts?: readonly Part[]
  readonly instead?: Part
  readonly finalize?: 'strict' | 'best_effort'
  readonly mode?: 'strict' | 'best_effort'
  readonly key?: string
  readonly payload?: object
  readonly message?: string
  readonly times?: number
  readonly class?: string
  readonly code?: string
  readonly retry_after_seconds?: number
  readonly data?: Record<string, unknown>
  readonly of?: number
}

export interface Scenario {
  readonly name: string
  readonly orders?: ReadonlyArray<{ readonly type: string; readonly payload: object }>
  readonly key?: string
  readonly url?: 'foreign'
  readonly agent?: {
    readonly order?: boolean
    readonly types?: readonly string[]
    readonly concurrency?: number
    readonly max_corrections?: number
    readonly stop_when_idle?: boolean
    readonly drain_seconds?: number
    readonly wait_seconds?: number
  }
  readonly handler?: readonly (readonly Step[])[]
  readonly on_refused?: readonly Step[]
  readonly stop_on?: string
  readonly meanwhile?: { readonly on: string; readonly do: 'revoke' | 'lose_answer'; readonly of?: string }
  readonly lose_answer_of?: string
  readonly calls?: ReadonlyArray<{ readonly operation: string; readonly input: object; readonly idempotency_key?: string }>
  readonly expect: {
    readonly totals?: object
    readonly events?: readonly string[]
    readonly event?: object
    readonly error?: object
    readonly order?: string
    readonly items?: readonly object[]
    readonly submissions?: readonly object[]
    readonly message_length?: number
    readonly answers?: ReadonlyArray<{ readonly members?: readonly string[]; readonly [other: string]: unknown }>
  }
}
