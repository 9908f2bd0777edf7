/** The reviewer, as a script: reads the order, approves exactly the digest it has read, and makes sure that it was applied once. */
import { countdown } from '../../../kernel/countdown.ts'
import { isWorkError } from '@work-manager/sdk'
import { randomUUID } from 'node:crypto'
import type { Effect, Order, WorkApi } from '../client.ts'
import { DemoError } from '../demo-error.ts'
import { counted, type Tone } from '../narration.ts'
import { pause } from '../pause.ts'
import { licenceCounts, type PackageAnswer } from './audit.ts'

export interface Decision {
  readonly digest: string
  readonly summary: string
  /** True when a repeated and a second approval changed nothing. */
  readonly appliedOnce: boolean
  readonly notices: { readonly file: string; readonly bytes: number; readonly packages: number } | null
}

const longestWaitMs = 30_000

type Tell = (text: string, tone?: Tone) => void

/** Refuses with: DemoError (not_applied), WorkManagerError. */
export async function reviewAndApprove(orderId: string, api: WorkApi, signal: AbortSignal, tell: Tell): Promise<Decision> {
  const order = await api.getOrder(orderId)
  const answers = answersOf(order)
  tell(`reads ${counted(answers.length, 'answer')}: ${licenceCounts(answers)}`)
  const digest = order.digest
  if (!digest)
    throw new DemoError(
      'not_ready',
      `The order is ${order.state}, so there is nothing to approve.`,
      `Look at it: npx work-manager orders show ${orderId}`,
    )
  tell(`approves exactly that: ${digest.slice(0, 23)}…`)
  const key = randomUUID()
  const { output: body } = await api.approve(orderId, digest, key)
  const applied = await untilApplied(orderId, api, signal)
  const summary = body.diff?.summary ?? 'applied'
  tell(`applied: ${summary}`, 'good')
  const appliedOnce = await approvingAgainChangesNothing(orderId, digest, key, api, tell)
  const effect = await untilDelivered(applied, api, signal)
  return { digest, summary, appliedOnce, notices: (effect?.receipt as Decision['notices']) ?? null }
}

function answersOf(order: Order): PackageAnswer[] {
  return (order.items ?? []).flatMap((item) => (item.result as { packages?: PackageAnswer[] } | null)?.packages ?? [])
}

/** Approve answers before the apply is through when that takes long; then the order tells when it is. */
async function untilApplied(orderId: string, api: WorkApi, signal: AbortSignal): Promise<Order> {
  const leftMs = countdown(longestWaitMs)
  for (;;) {
    const order = await api.getOrder(orderId)
    if (order.state === 'completed') return order
    if (order.state !== 'approved' && order.state !== 'applied')
      throw new DemoError(
        'not_applied',
        `Applying failed, the order is ${order.state}: ${JSON.stringify(order.last_apply_error)}`,
        `Look at it: npx work-manager orders show ${orderId}`,
      )
    if (leftMs() < 0)
      throw new DemoError(
        'not_applied',
        `The order is approved, but was not applied within ${longestWaitMs / 1000} s.`,
        'Look at the log of the server; background tools must be enabled.',
      )
    await pause(100, signal)
    signal.throwIfAborted()
  }
}

/** The same request again is answered from the record; a new one is refused, because the order is done. */
async function approvingAgainChangesNothing(orderId: string, digest: string, key: string, api: WorkApi, tell: Tell): Promise<boolean> {
  const { isReplayed } = await api.approve(orderId, digest, key)
  try {
    await api.approve(orderId, digest, randomUUID())
    return false
  } catch (error) {
    if (!isWorkError(error) || error.status !== 409) throw error
    tell(`approves again: nothing changes (${error.status} ${error.code})`, 'refused')
    return isReplayed
  }
}

/** The file is written after the commit, by a job of its own that leaves a receipt. */
async function untilDelivered(order: Order, api: WorkApi, signal: AbortSignal): Promise<Effect | null> {
  const leftMs = countdown(longestWaitMs)
  for (let seen = order; ; seen = await api.getOrder(order.id)) {
    const effect = seen.effects?.find((one) => one.name === 'write_notices')
    if (!effect || effect.state === 'delivered' || leftMs() < 0) return effect?.state === 'delivered' ? effect : null
    await pause(100, signal)
    signal.throwIfAborted()
  }
}
