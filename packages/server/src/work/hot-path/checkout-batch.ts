/** Checkouts with the same filter share one `wm.lease_items`. Who comes away empty-handed while items are there asks again by itself. */
import { randomBytes } from 'node:crypto'
import type { LeaseLimitReached, LeaseLimits } from '../leases/decide-limits.ts'
import type { PauseInForce } from '../pauses/decide.ts'
import type { KeyEnd } from '../../kernel/key-end.ts'
import { asBatch } from './batch-span.ts'
import { again, createBatcher } from '../../kernel/batching/batcher.ts'
import { tellLeased } from './hinted-leases.ts'
import type { CheckoutAnswer, CheckoutRequest } from './requests.ts'
import { askerSlot, type BatchContext, bySlot } from './slots.ts'

const maxTries = 10

export function batchedCheckouts(
  { query, hints, tracing, batching }: BatchContext,
  options: { readonly epoch: number; readonly heartbeatEverySeconds: number; readonly leaseLimits: LeaseLimits | null },
): (request: CheckoutRequest) => Promise<CheckoutAnswer> {
  /** Rows can stay locked by somebody who does not finish: then it is better to say that there is nothing now. */
  const tries = new WeakMap<CheckoutRequest, number>()
  const askAgain = (request: CheckoutRequest): boolean => {
    const tried = (tries.get(request) ?? 0) + 1
    tries.set(request, tried)
    return tried < maxTries
  }

  return createBatcher<CheckoutRequest, CheckoutAnswer>({
    ...batching,
    lane: (r) => `${r.tenantId} ${r.orderId ?? ''} ${r.type ?? ''} ${r.minPriority ?? ''}`,
    inFlightPerLane: 1,
    async run(requests) {
      const { tenantId, orderId, type, minPriority } = requests[0]!
      const slots = requests.map((request, slot) => ({
        slot,
        ...askerSlot(request),
        key_id: request.keyId,
        random: randomBytes(16).toString('base64url'),
      }))
      // An order's own items are few and its row is locked anyway; a least priority is not what the hints are sorted by.
      const hinted = hints !== null && orderId === null && minPriority === null
      const candidates = hinted ? await hints.take(tenantId, type, requests.length) : null
      const filter = {
        order: orderId,
        type,
        min_priority: minPriority,
        epoch: options.epoch,
        heartbeat_every: options.heartbeatEverySeconds,
        limits: options.leaseLimits,
        ...(candidates === null ? {} : { candidates }),
      }
      const rows = await asBatch(tracing, {
        statement: 'lease_items',
        requests,
        isWorthASpan: (verdicts) => verdicts.some((row) => row.verdict === 'leased'),
        run: () =>
          query<{ slot: number; verdict: string; item_id: string; order_id: string; body: string }>(
            'lease_items',
            'select * from wm.lease_items($1, $2, $3)',
            [tenantId, JSON.stringify(filter), JSON.stringify(slots)],
          ),
      })
      if (hints) tellLeased(hints, { tenantId, type, requests: requests.length, hinted }, candidates, rows)
      // Beside a grant, or when told so, no item means that others were faster, not that nothing is ready.
      const contended = rows.some((row) => row.verdict === 'leased' || row.verdict === 'contended')
      return bySlot(requests.length, rows, (row, slot) => {
        switch (row?.verdict) {
          case 'leased':
            return { kind: 'leased', itemId: row.item_id, orderId: row.order_id, json: row.body }
          case 'limited':
            return { kind: 'limited', ...(JSON.parse(row.body) as LeaseLimitReached) }
          case 'paused':
            return { kind: 'paused', pause: JSON.parse(row.body) as PauseInForce }
          case 'key_ended':
            return { kind: 'key_ended', why: row.body as KeyEnd }
          default:
            return contended && askAgain(requests[slot]!) ? again : { kind: 'none' }
        }
      })
    },
  })
}
