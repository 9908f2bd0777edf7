import { orderStates, type OrderState } from '@work-manager/contract'
import { describe, expect, it } from 'vitest'
import { explainWaiting, type Mover, type OrderSituation } from './decide-waiting.ts'

const calm: OrderSituation = {
  state: 'queued',
  itemsTotal: 3,
  ready: 0,
  leased: 0,
  submitted: 0,
  retrying: 0,
  stuck: 0,
  firstStuck: null,
  holders: [],
  leaseEndsAt: null,
  retryAt: null,
  applyError: null,
  applyAttempts: 0,
  autoApprovalAhead: false,
  autoApprovalFailed: false,
  pause: null,
  full: null,
}
const pause = { scope: 'type', subject: 'crm.sync', reason: 'It deletes too much', paused_at: '2026-01-01T00:00:00Z' } as const

describe('what an order waits for', () => {
  const cases: Array<[OrderState, Partial<OrderSituation>, Mover, RegExp]> = [
    ['queued', { itemsTotal: 0 }, 'person', /not planned/],
    ['queued', { ready: 3 }, 'agent', /check out 3 items \(0 being worked on, 0 of 3 items handed in\)/],
    ['checked_out', { ready: 1, leased: 2 }, 'agent', /check out 1 item \(2 being worked on/],
    [
      'in_progress',
      { leased: 1, submitted: 2, holders: ['magpie'], leaseEndsAt: '2026-01-01T00:00:00Z' },
      'agent',
      /magpie to hand in 1 item .*ends at 2026/,
    ],
    [
      'in_progress',
      { retrying: 1, submitted: 2, retryAt: '2026-01-01T00:00:00Z' },
      'server',
      /next attempt at 1 item that failed; the first is due at 2026/,
    ],
    ['in_progress', { stuck: 1, submitted: 2 }, 'person', /failed for good/],
    ['in_progress', { submitted: 3 }, 'server', /settled/],
    ['submitted', { submitted: 3 }, 'person', /waits for a person to approve or reject/],
    ['submitted', { submitted: 3, autoApprovalAhead: true }, 'server', /approves by itself/],
    ['submitted', { submitted: 3, autoApprovalFailed: true }, 'person', /automatic approval did not pass/],
    ['submitted', { submitted: 3, applyError: 'disk full' }, 'person', /applying failed and changed nothing: disk full/],
    ['approved', { applyAttempts: 2 }, 'server', /being applied \(2 attempts so far\)/],
    ['applied', {}, 'server', /committed/],
    ['completed', {}, 'nobody', /done/],
    ['rejected', {}, 'person', /rejected/],
    ['failed', { stuck: 1 }, 'server', /1 item could not be done/],
    ['dead_lettered', {}, 'person', /set aside/],
    [
      'dead_lettered',
      { stuck: 2, firstStuck: { id: 'i', attempts: 3, error: { code: 'down', class: 'transient', message: 'The site\n was down.' } } },
      'person',
      /^It was set aside after failing for good\. The first of 2 items failed after 3 attempts \(transient, 'down'\): The site was down\.$/,
    ],
    ['cancelled', {}, 'nobody', /cancelled/],
    [
      'queued',
      { ready: 3, full: { limit: 'type', max: 2, type: 'crm.sync' } },
      'agent',
      /room: 2 items of type 'crm.sync' under a lease are as many/,
    ],
    ['queued', { ready: 3, full: { limit: 'tenant', max: 9 } }, 'agent', /room: 9 items of this tenant/],
    ['queued', { ready: 3, pause }, 'person', /^Work of type 'crm.sync' is paused since 2026-.*: It deletes too much\.$/],
    ['in_progress', { retrying: 1, pause }, 'person', /paused/],
    ['in_progress', { stuck: 1, pause }, 'person', /failed for good/],
    ['submitted', { submitted: 3, pause }, 'person', /waits for a person to approve/],
    ['submitted', { submitted: 3, autoApprovalAhead: true, pause }, 'person', /paused/],
    ['approved', { pause }, 'person', /paused/],
    ['completed', { pause }, 'nobody', /done/],
  ]

  it.each(cases)('%s %o', (state, situation, mover, sentence) => {
    const waiting = explainWaiting({ ...calm, ...situation, state })
    expect(waiting.waits_for).toBe(mover)
    expect(waiting.sentence).toMatch(sentence)
    expect(waiting.next).not.toBe('')
  })

  it('has a sentence for every state', () => {
    expect([...new Set(cases.map(([state]) => state))].toSorted()).toEqual(orderStates.toSorted())
  })
})
