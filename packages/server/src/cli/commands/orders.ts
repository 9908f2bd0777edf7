/** `orders list|show|requeue|clone`: what is there, and bringing work back. The other verbs are derived from the operations. */
import type { Command } from 'commander'
import { itemColumns, orderColumns } from '../answer-view.ts'
import type { Order } from '../answers.ts'
import { several, wholeNumber } from '../arguments.ts'
import type { Context } from '../context.ts'
import { usageError } from '../cli-error.ts'
import { inertLine } from '../../log/inert-text.ts'
import { orderLines } from '../order-view.ts'
import { type Candidate, requeueEach } from '../requeue-each.ts'

interface ListOptions {
  readonly state?: string
  readonly type?: string
  readonly hasAvailableItems?: boolean
  readonly filter?: readonly string[]
  readonly sort: string
  readonly limit: number
  readonly page: number
}

export function addOrders(program: Command, context: Context): void {
  const orders = program
    .command('orders')
    .summary('list orders, or work with one')
    .description('Orders: list them, look at one, propose, decide, bring back.')
  orders
    .command('list', { isDefault: true })
    .summary('list orders')
    .description('List orders, the most urgent first.')
    .option('--state <states>', 'only these states, separated by commas')
    .option('--type <types>', 'only these order types, separated by commas')
    .option('--has-available-items', 'only orders with an item that is ready to be taken')
    .option('--filter <name=value>', 'any other filter, such as priority=>50 or meta=team:blue (may be repeated)', several)
    .option('--sort <fields>', 'priority, created_at, last_transitioned_at …; - in front for descending', '-priority,created_at')
    .option('--limit <n>', 'rows per page', wholeNumber(1, 1000), 50)
    .option('--page <n>', 'which page', wholeNumber(1, 1_000_000), 1)
    .action((options: ListOptions) => list(context, options))
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
  orders
    .command('requeue')
    .argument('[order]', 'order id; without it, --state or --type select')
    .summary('bring failed, rejected or dead-lettered orders back')
    .description(
      'Bring a failed, rejected or dead-lettered order back to the queue, with a reason: one by its id, or those that --state and --type select.',
    )
    .option('--order <order>', 'the order, as the predecessor spelled it')
    .option('--state <states>', 'orders in these states (failed, rejected, dead_lettered), separated by commas')
    .option('--type <types>', 'orders of these types, separated by commas')
    .option('--reason <text>', 'why; it stands on the record')
    .option('--limit <n>', 'at most this many', wholeNumber(1, 1000), 100)
    .option('--dry-run', 'only say which orders it would be')
    .option('--force', 'do not ask, even in production')
    .addHelpText(
      'after',
      '\nExample:\n  work-manager orders requeue --state dead_lettered --type example.echo --reason "The catalogue is back" --dry-run\n',
    )
    .action((id: string | undefined, options: RequeueOptions) => requeue(context, id ?? options.order, options))
  orders
    .command('clone')
    .argument('<order>', 'order id')
    .summary('propose a copy of an order')
    .description('Propose a copy of an order: same type, payload, labels and priority, with meta.cloned_from naming the original.')
    .option('--priority <n>', 'another priority than the original has', wholeNumber(0, 32_767))
    .option('--dry-run', 'only show what would be proposed')
    .action((id: string, options: { priority?: number; dryRun?: boolean }) => clone(context, id, options))
}

async function list(context: Context, options: ListOptions): Promise<void> {
  const client = await context.client()
  const filters = (options.filter ?? []).map((text): [string, string] => {
    const [, name, value] = /^([^=]+?)=(.*)$/s.exec(text) ?? []
    if (name === undefined || value === undefined)
      throw usageError(`--filter '${text}' is not name=value.`, 'Such as --filter priority=>50.')
    return [name, value]
  })
  const { body } = await client.call('list_orders', {
    filter: {
      state: options.state,
      type: options.type,
      has_available_items: options.hasAvailableItems === true ? 'true' : undefined,
      ...Object.fromEntries(filters),
    },
    sort: options.sort,
    // The table shows nothing of items; programs get what they always got.
    include: context.out.json ? undefined : '',
    page: { size: options.limit, number: options.page },
  })
  const answer = body as unknown as { data: Order[]; total: number }
  context.out.answer(answer.data, () => {
    context.out.table(orderColumns, answer.data, 'No orders.')
    if (answer.total > answer.data.length)
      context.out.line(context.out.paint.dim(`${answer.data.length} of ${answer.total}; --page ${options.page + 1} shows more`))
  })
}

interface RequeueOptions {
  readonly order?: string
  readonly state?: string
  readonly type?: string
  readonly reason?: string
  readonly limit: number
  readonly dryRun?: boolean
  readonly force?: boolean
}

async function requeue(context: Context, id: string | undefined, options: RequeueOptions): Promise<void> {
  if (id === undefined && options.state === undefined && options.type === undefined)
    throw usageError('Which orders?', 'Name one by its id, or select with --state (failed, rejected, dead_lettered) or --type.')
  const found = id === undefined ? await findRevivable(context, options) : [(await getOrder(context, id)).order]
  const candidates = found.map((order): Candidate => ({ id: order.id, type: order.type, state: order.state }))
  await requeueEach(context, 'order', candidates, {
    ...options,
    single: id !== undefined,
    requeue: (client, order, why) => client.call('requeue_order', { order, reason: why }),
  })
}

/** Page by page up to the limit. */
async function findRevivable(context: Context, { state = 'failed,rejected,dead_lettered', type, limit }: RequeueOptions): Promise<Order[]> {
  const client = await context.client()
  const found: Order[] = []
  for (let page = 1; found.length < limit; page++) {
    const { body } = await client.call('list_orders', {
      filter: { state, type },
      fields: { work_orders: 'id,type,state' },
      page: { size: 100, number: page },
    })
    const { data } = body as { data: Order[] }
    found.push(...data)
    if (data.length < 100) break
  }
  return found.slice(0, limit)
}

async function clone(context: Context, id: string, options: { priority?: number; dryRun?: boolean }): Promise<void> {
  const { order } = await getOrder(context, id)
  const meta = typeof order.meta === 'object' && order.meta !== null ? order.meta : {}
  const proposal = {
    type: order.type,
    payload: order.payload as object,
    meta: { ...meta, cloned_from: order.id },
    priority: options.priority ?? order.priority,
  }
  if (options.dryRun === true) {
    context.out.answer({ would_propose: proposal }, () =>
      context.out.line(`It would propose a copy of ${order.id}: ${inertLine(order.type)} with priority ${proposal.priority}.`),
    )
    return
  }
  const client = await context.client()
  const { body } = await client.call('propose_order', proposal)
  context.out.answer(body, () =>
    context.out.line(
      `Proposed ${body.order.id}, a copy of ${order.id}, with ${body.items_count} ${body.items_count === 1 ? 'item' : 'items'}.`,
    ),
  )
}

/** One order with its items and latest events. */
export async function getOrder(context: Context, id: string): Promise<{ order: Order }> {
  const client = await context.client()
  return (await client.call('get_order', { order: id })).body
}
