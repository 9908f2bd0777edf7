/** Heartbeats of a tenant share one `wm.heartbeat_items`. The hints hear what the database says of them. */
import { ticks } from '../lease-hints/database-clock.ts'
import type { Instant } from '../../kernel/store/tx.ts'
import { asBatch } from './batch-span.ts'
import { createBatcher } from '../../kernel/batching/batcher.ts'
import { notedHeartbeats, type NotedHeartbeatRow, tellJudged } from './hinted-leases.ts'
import type { HeartbeatAnswer, HeartbeatRequest } from './requests.ts'
import { type BatchContext, bySlot, leaseSeen, type LeaseRow, leaseSlot } from './slots.ts'

type Row = LeaseRow & { slot: number; held: boolean; lease_expires_at: Instant }

const heartbeatSlot = (request: HeartbeatRequest) => ({ ...leaseSlot(request), no_later_than: request.noLaterThan })

function answerOf(row: Row | undefined): HeartbeatAnswer {
  if (!row) return { kind: 'absent' }
  return row.held ? { kind: 'held', expiresAt: row.lease_expires_at } : { kind: 'refused', seen: leaseSeen(row) }
}

export function batchedHeartbeats({
  query,
  hints,
  tracing,
  batching,
}: BatchContext): (request: HeartbeatRequest) => Promise<HeartbeatAnswer> {
  return createBatcher<HeartbeatRequest, HeartbeatAnswer>({
    ...batching,
    lane: (r) => r.tenantId,
    conflict: (r) => r.itemId,
    async run(requests) {
      const slots = JSON.stringify(requests.map((request, slot) => ({ slot, ...heartbeatSlot(request) })))
      const { tenantId } = requests[0]!
      if (!hints) {
        const rows = await asBatch(tracing, {
          statement: 'heartbeat_items',
          requests,
          run: () => query<Row>('heartbeat_items', 'select * from wm.heartbeat_items($1, $2)', [tenantId, slots]),
        })
        return bySlot(requests.length, rows, answerOf)
      }
      const sentAt = ticks()
      const items = requests.map((request) => request.itemId)
      const rows = await asBatch(tracing, {
        statement: 'noted_heartbeats',
        requests,
        run: () => query<Row & NotedHeartbeatRow>('noted_heartbeats', notedHeartbeats, [tenantId, slots, items]),
      })
      tellJudged(hints, requests, rows, sentAt)
      return bySlot(requests.length, rows, answerOf)
    },
  })
}
