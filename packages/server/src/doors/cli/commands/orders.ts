/** `orders list|show`, `items`: reading what is there. */
import type { Command } from 'commander'
import type { Item, Order } from '../answers.ts'
import type { Context } from '../context.ts'
import { inertLine } from '../inert-text.ts'
import { orderLines } from '../order-view.ts'
import type { Column } from '../table.ts'
import { wholeNumber } from '../arguments.ts'

const orderColumns: Column<Order>[] = [
  { title: 'ORDER', value: (order) => order.id },
  { title: 'TYPE', value: (order) => order.type, elastic: true },
  { title: 'STATE', value: (order) => order.state },
  { title: 'PRIORITY', value: (order) => order.priority },
  { title: 'ITEMS', value: (order) => `${order.items_submitted}/${order.items_total}` },
  { title: 'CREATED', value: (order) => moment(order.created_at) },
]

const itemColumns: Column<Item>[] = [
  { title: 'ITEM', value: (item) => item.id },
  { title: '#', value: (item) => item.ordinal },
  { title: 'STATE', value: (item) => item.state },
  { title: 'ATTEMPT', value: (item) => `${item.attempts}/${item.max_attempts}` },
  { title: 'HELD BY', value: (item) => item.leased_by_agent_id, elastic: true },
  { title: 'LEASE ENDS', value: (item) => (item.lease_expires_at === null ? null : moment(item.lease_expires_at)) },
]

/** A time as people read it: UTC, to the second. */
export function moment(time: string): string {
  return time
    .replace('T', ' ')
    .replace(/\.\d+/, '')
    .replace(/\+00:00$/, 'Z')
}

interface ListOptions {
  readonly state?: string
  readonly type?: string
  readonly sort: string
  readonly limit: number
  readonly page: number
}

export function addOrders(program: Command, context: Context): void {
  const orders = program.command('orders').summary('list orders, or show one').description('List orders, or show one.')
  orders
    .command('list', { isDefault: true })
    .summary('list orders')
    .description('List orders, the most urgent first.')
    .option('--state <states>', 'only these states, separated by commas')
    .option('--type <types>', 'only these order types, separated by commas')
    .option('--sort <fields>', 'priority, created_at, last_transitioned_at …; - in front for descending', '-priority,created_at')
    .option('--limit <n>', 'rows per page', wholeNumber(1, 1000), 50)
    .option('--page <n>', 'which page', wholeNumber(1, 1_000_000), 1)
    .action(async (options: ListOptions) => {
      const client = await context.client()
      const answer = await client.get<{ data: Order[]; total: number }>('/orders', {
        'filter[state]': options.state,
        'filter[type]': options.type,
        sort: options.sort,
        'page[size]': options.limit,
        'page[number]': options.page,
      })
      context.out.answer(answer.data, () => {
        context.out.table(orderColumns, answer.data, 'No orders.')
        if (answer.total > answer.data.length)
          context.out.line(context.out.paint.dim(`${answer.data.length} of ${answer.total}; --page ${options.page + 1} shows more`))
      })
    })
  orders
    .command('show')
    .argument('<order>', 'order id')
    .summary('show one order with its items')
    .description('Show one order: its payload, items, evidence and digest.')
    .action(async (id: string) => {
      const { order } = await getOrder(context, id)
      context.out.answer(order, () => {
        for (const line of orderLines(order, context.out.paint)) context.out.line(line)
        context.out.line()
        context.out.table(itemColumns, order.items ?? [], 'It has no items.')
      })
    })
  program
    .command('items')
    .argument('<order>', 'order id')
    .summary('list the items of an order')
    .description('List the items of an order.')
    .option('--state <state>', 'only items in this state')
    .action(async (id: string, options: { state?: string }) => {
      const { order } = await getOrder(context, id)
      const items = (order.items ?? []).filter((item) => options.state === undefined || item.state === options.state)
      context.out.answer(items, () => context.out.table(itemColumns, items, `Order ${inertLine(id)} has no such items.`))
    })
}

/** One order with its items and latest events. */
export async function getOrder(context: Context, id: string): Promise<{ order: Order }> {
  const client = await context.client()
  return client.get<{ order: Order }>(`/orders/${encodeURIComponent(id)}`)
}
