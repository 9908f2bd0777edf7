/** Filing what failed for good: the item with its case file, and with it the order, unless its type goes on without the item. */
import { itemIs, itemMachine, orderIs, type orderMachine, type StatesTagged, statesTagged } from '@work-manager/contract'
import { type Actor, appendEvents, type NewEvent, ofOrder, partOf, readCaseFile } from '../../kernel/store/events.ts'
import { type ItemAddress, type ItemRow, lockItemsOfOrder, moveItems } from './store.ts'
import { moveOrder, type OrderRow, setItemsDead, tryLockOrder } from '../orders/store.ts'
import { type Instant, secondsAfter, type Tx } from '../../kernel/store/tx.ts'
import { traceIdOf } from '../../tracing/traceparent.ts'
import type { WorkTools } from '../tools.ts'

type OpenOrder = OrderRow & { readonly state: StatesTagged<typeof orderMachine, 'open'> }
const isOpen = (order: OrderRow): order is OpenOrder => orderIs.open(order.state)

/** The order fails, and with it whatever of it is still open: leases end. */
async function failOrder(tx: Tx, order: OpenOrder, items: readonly ItemRow[], at: Instant): Promise<NewEvent[]> {
  const events: NewEvent[] = []
  const error = { code: 'order_failed', message: 'Another item of the order failed for good.' }
  for (const state of statesTagged(itemMachine, 'open')) {
    const ids = items.filter((item) => item.state === state).map((item) => item.id)
    await moveItems(tx, ids, state, 'failed', at, { error })
    for (const id of ids)
      events.push({ kind: 'item.failed', ...partOf(order, id), reason: error.code, payload: { error, will_retry: false } })
  }
  await moveOrder(tx, order.id, order.state, 'failed', at)
  events.push({ kind: 'order.failed', ...ofOrder(order), message: 'An item failed for good' })
  return events
}

/** A failed order is set aside, its items with their case files. */
async function fileOrder(tx: Tx, order: OrderRow, failed: readonly string[], at: Instant): Promise<NewEvent[]> {
  const events: NewEvent[] = []
  await moveItems(tx, failed, 'failed', 'dead_lettered', at)
  for (const id of failed)
    events.push({
      kind: 'item.dead_lettered',
      ...partOf(order, id),
      payload: { case_file: await readCaseFile(tx, id) },
    })
  await moveOrder(tx, order.id, 'failed', 'dead_lettered', at)
  events.push({
    kind: 'order.dead_lettered',
    ...ofOrder(order),
    payload: { items_submitted: order.items_submitted, items_total: order.items_total },
  })
  return events
}

/** The item is filed; the order goes on without it, and is full when it was the last one. */
async function proceedWithout(tx: Tx, order: OpenOrder, item: ItemRow, at: Instant): Promise<NewEvent[]> {
  const events: NewEvent[] = []
  await moveItems(tx, [item.id], 'failed', 'dead_lettered', at)
  events.push({
    kind: 'item.dead_lettered',
    ...partOf(order, item.id),
    payload: { case_file: await readCaseFile(tx, item.id) },
  })
  const dead = order.items_dead + 1
  const full = order.items_submitted + dead >= order.items_total
  if (full && order.items_submitted > 0) {
    await moveOrder(tx, order.id, order.state, 'submitted', at, { itemsDead: dead })
    events.push({ kind: 'order.submitted', ...ofOrder(order), message: 'All items submitted or set aside' })
  } else if (full) {
    await moveOrder(tx, order.id, order.state, 'failed', at, { itemsDead: dead })
    await moveOrder(tx, order.id, 'failed', 'dead_lettered', at)
    events.push(
      { kind: 'order.failed', ...ofOrder(order), message: 'Every item failed for good' },
      { kind: 'order.dead_lettered', ...ofOrder(order) },
    )
  } else {
    await setItemsDead(tx, order.id, dead, at)
  }
  return events
}

/**
 * Deals with one item that failed for good: its order fails at once, unless its type goes on without the item, and what failed is filed
 * when it has rested for `afterHours`. False when its order is in use, or nothing is to be done any more or yet.
 */
export function fileDeadLetter(tools: WorkTools, failure: ItemAddress, by: Actor, afterHours: number): Promise<boolean> {
  return tools.db.transaction(failure.tenant_id, async (tx) => {
    const order = await tryLockOrder(tx, failure.order_id)
    if (!order) return false
    const items = await lockItemsOfOrder(tx, failure.order_id)
    const item = items.find((one) => one.id === failure.id)
    if (item?.state !== 'failed') return false
    const at = await tx.clock()
    const hasRested = secondsAfter(item.updated_at, afterHours * 3600) <= at
    const events: NewEvent[] = []
    if (isOpen(order) && order.on_item_failure === 'proceed') {
      if (hasRested) events.push(...(await proceedWithout(tx, order, item, at)))
    } else {
      if (isOpen(order)) events.push(...(await failOrder(tx, order, items, at)))
      else if (order.state !== 'failed') return false
      const failed = items.filter((one) => one.state === 'failed' || itemIs.open(one.state)).map((one) => one.id)
      if (hasRested) events.push(...(await fileOrder(tx, order, failed, at)))
    }
    if (events.length > 0) await appendEvents(tx, { ...by, traceId: by.traceId ?? traceIdOf(order.traceparent) }, at, events)
    return events.length > 0
  })
}
