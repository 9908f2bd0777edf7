/** `items list|checkout|retry`: across orders. The other verbs are derived from the operations. */
import type { ListItemsInput, ListItemsOutput } from '@work-manager/sdk'
import type { Command } from 'commander'
import { nearestName } from '@work-manager/contract/names'
import { itemColumns, showAnswer } from '../answer-view.ts'
import type { Item } from '../answers.ts'
import { wholeNumber } from '../arguments.ts'
import type { Context } from '../context.ts'
import { CliError, usageError } from '../cli-error.ts'
import { inertLine } from '../../log/inert-text.ts'
import { requeueEach } from '../requeue-each.ts'
import { getOrder } from './orders.ts'

interface ListOptions {
  readonly order?: string
  readonly type?: string
  readonly state?: string
  readonly agent?: string
  readonly leased?: boolean
  readonly limit: number
}

export function addItems(program: Command, context: Context): void {
  const items = program
    .command('items')
    .summary('list items, or work with one')
    .description('Items: list them, take one, hand in, give back, bring back.')
  items
    .command('list', { isDefault: true })
    .argument('[order]', 'order id')
    .summary('list items')
    .description('List the items of an order, or items across orders.')
    .option('--order <order>', 'the order, as the predecessor spelled it')
    .option('--state <states>', 'only items in these states, separated by commas')
    .option('--type <type>', 'only items of this type')
    .option('--agent <agent>', 'only items that this agent holds')
    .option('--leased', 'only items under a lease that has not run out')
    .option('--limit <n>', 'at most this many', wholeNumber(1, 10_000), 200)
    .addHelpText('after', '\nExample:\n  work-manager items --leased --agent crawler-1\n')
    .action(async (order: string | undefined, options: ListOptions) => {
      const wanted = order ?? options.order
      if (wanted !== undefined) assertNoMistypedVerb(items, wanted)
      const found = await findItems(context, { ...options, order: wanted })
      // An order that is not there is said to be so, instead of an empty list.
      if (found.length === 0 && wanted !== undefined) await getOrder(context, wanted)
      context.out.answer(found, () =>
        context.out.table(itemColumns, found, wanted === undefined ? 'No such items.' : `Order ${inertLine(wanted)} has no such items.`),
      )
    })
  items
    .command('checkout')
    .argument('[order]', 'order id; without it, the most urgent item of any order')
    .summary('take an item under a lease')
    .description('Take the most urgent ready item, of one order or of any, under a lease. The answer holds the lease token.')
    .option('--type <type>', 'only items of orders of this type')
    .option('--min-priority <n>', 'only orders of at least this priority', (text) => wholeNumber(0, 32_767)(text))
    .option('--wait <seconds>', 'wait this long for an item', wholeNumber(0, 60))
    .action((order: string | undefined, options: { type?: string; minPriority?: number; wait?: number }) =>
      checkout(context, order, options),
    )
  items
    .command('retry')
    .summary('bring failed items back')
    .description('Bring failed and dead-lettered items back to the queue, with a reason; their attempts start again at none.')
    .option('--order <order>', 'only items of this order')
    .option('--type <type>', 'only items of this type')
    .option('--state <states>', 'items in these states, separated by commas', 'failed,dead_lettered')
    .option('--reason <text>', 'why; it stands on the record')
    .option('--limit <n>', 'at most this many', wholeNumber(1, 10_000), 1000)
    .option('--dry-run', 'only say which items it would be')
    .option('--force', 'do not ask, even in production')
    .action(async (options: ListOptions & { reason?: string; dryRun?: boolean; force?: boolean }) => {
      const found = await findItems(context, options)
      const candidates = found.map(({ id, type, state }) => ({ id, type, state }))
      await requeueEach(context, 'item', candidates, {
        ...options,
        single: false,
        requeue: (client, item, reason) => client.call('requeue_item', { item, reason }),
      })
    })
}

/** `items lst` arrives as an order id; no id looks like a verb. */
function assertNoMistypedVerb(items: Command, text: string): void {
  const verbs = items.commands.map((one) => one.name())
  const near = /^[a-z]+$/.test(text) ? nearestName(text, verbs) : undefined
  if (near !== undefined)
    throw usageError(
      `unknown command '${text}'; did you mean ${near}?`,
      `usage: work-manager items [command]; known are ${verbs.join(', ')}`,
    )
}

/** Page by page up to the limit, state by state. */
async function findItems(context: Context, options: Partial<ListOptions> & { readonly limit: number }): Promise<Item[]> {
  const client = await context.client()
  const found: Item[] = []
  const states = options.leased === true ? await heldStates() : (options.state?.split(',').map((state) => state.trim()) ?? [undefined])
  for (const state of states) {
    let cursor: string | undefined
    do {
      const size = Math.min(100, options.limit - found.length)
      if (size <= 0) return found
      const { body: page }: { body: ListItemsOutput } = await client.call('list_items', {
        order: options.order,
        state: state as ListItemsInput['state'],
        type: options.type,
        agent: options.agent,
        limit: size,
        cursor,
      })
      const now = Date.now()
      found.push(
        ...(options.leased === true
          ? page.data.filter((item) => item.lease_expires_at !== null && Date.parse(item.lease_expires_at) >= now)
          : page.data),
      )
      cursor = page.next_cursor ?? undefined
    } while (cursor !== undefined)
  }
  return found
}

async function checkout(
  context: Context,
  order: string | undefined,
  { type, minPriority, wait }: { type?: string; minPriority?: number; wait?: number },
): Promise<void> {
  if (order !== undefined && (type !== undefined || minPriority !== undefined))
    throw usageError(
      'An order was named, so --type and --min-priority have nothing to select.',
      'Leave them away, or leave the order away.',
    )
  const client = await context.client()
  try {
    const { body } =
      order === undefined
        ? await client.call('checkout_item', { type, min_priority: minPriority, wait })
        : await client.call('checkout_order_item', { order, wait })
    showAnswer(context, body)
  } catch (error) {
    if (error instanceof CliError && error.code === 'no_items_available' && error.fix === '')
      throw new CliError('conflict', error.code, error.message, 'Wait for one with --wait 60.', { members: error.members })
    throw error
  }
}

/** Loaded when asked for: the tables of states come with every schema of the product. */
async function heldStates(): Promise<readonly string[]> {
  const { itemMachine, statesTagged } = await import('@work-manager/contract')
  return statesTagged(itemMachine, 'held')
}
