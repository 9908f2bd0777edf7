import { OrderShape, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { renderEffects } from '../effects/store.ts'
import { listEvents } from '../../kernel/store/events.ts'
import { renderItemsOfOrders } from '../items/store.ts'
import { findOrder, renderOrder } from './store.ts'
import { PageBudget } from '../../kernel/store/page-budget.ts'
import { orderId } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { readDigest } from '../approvals/decision-content.ts'
import { noteShown } from '../approvals/shown-orders.ts'
import { getTool } from '../items/get-item.ts'

/** Of a longer order only this many items are in the answer, fewer when they are large; GET /items?order=… has them all. */
const mostItems = 1000

export const getOrder = defineOperation({
  name: 'get_order',
  summary: 'Read one order with its items, its latest events, its effects and the digest that an approval names.',
  http: { method: 'GET', path: '/orders/:order', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['not_found'],
  command: { words: 'orders show', byHand: true },
  tool: getTool,
  input: Type.Object({ order: orderId }),
  output: Type.Object({ order: OrderShape }),
  async handler(context, input) {
    // An order is shown even when its record stands still: it says so.
    const { json, decidable } = await context.readRecord(
      async (q, behind) => {
        const row = await findOrder(q, input.order)
        if (!row) throw new WorkError('not_found')
        const order = (await renderOrder(q, row.id))!
        const budget = new PageBudget()
        const events = await budget.beside(q, (within) => listEvents(within, { rootId: row.id }, 20))
        const effects = await budget.beside(q, (within) => renderEffects(within, row.id))
        const items = await budget.beside(q, (within) => renderItemsOfOrders(within, [row.id], mostItems))
        const decidable = row.state === 'submitted' ? await readDigest(q, context.principal.tenantId, row) : null
        const members = [
          `"digest":${JSON.stringify(decidable?.digest ?? null)}`,
          `"items":[${items.map((item) => item.json).join(',')}]`,
          `"items_omitted":${row.items_total - items.length}`,
          `"events":[${events.map((event) => event.json).join(',')}]`,
          `"effects":[${effects.map((effect) => effect.json).join(',')}]`,
          ...(behind ? ['"events_behind":true'] : []),
        ]
        // The rendered order is an object: its closing brace makes room for what belongs to it.
        return { decidable, json: `{"order":${order.slice(0, -1)},${members.join(',')}}}` }
      },
      { orBehind: true },
    )
    if (decidable) await noteShown(context, input.order, decidable)
    return { status: 200, json }
  },
})
