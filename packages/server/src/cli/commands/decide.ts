/** `approve`, `reject`: a person's decision, on exactly what was shown. */
import type { Command } from 'commander'
import type { Order } from '../answers.ts'
import { several } from '../arguments.ts'
import type { Context } from '../context.ts'
import { CliError, usageError } from '../cli-error.ts'
import { confirmed, someoneThere } from '../confirm.ts'
import { inertJson, inertLine } from '../../log/inert-text.ts'
import { contentLines, orderLines } from '../order-view.ts'
import { getOrder } from './orders.ts'

/** `approve` and `reject` stand alone and under `orders`; `orders review` is the predecessor's form of both. */
export function addDecisions(program: Command, context: Context): void {
  const orders = program.commands.find((one) => one.name() === 'orders')!
  for (const parent of [program, orders]) {
    const words = parent === orders ? 'orders ' : ''
    parent
      .command('approve')
      .argument('<order>', 'order id')
      .summary('look at an order and apply it')
      .description('Show what an order would change, ask, and approve exactly that.')
      .option('--digest <digest>', 'approve only if this is still what would be applied')
      .option('-y, --yes', 'do not ask (needed when nobody sits at the terminal)')
      .addHelpText('after', `\nExample:\n  work-manager ${words}approve 01890a5d-ac96-774b-bcce-b302099a8057\n`)
      .action((id: string, options: ApproveOptions) => approve(context, id, options))
    parent
      .command('reject')
      .argument('<order>', 'order id')
      .summary('refuse an order, or send items back')
      .description('Refuse an order, or send its items back to be done again.')
      .requiredOption('--reason <text>', 'why; the agents read it')
      .option('--rework', 'put the items back into the queue')
      .option('--item <item>', 'an item that the reason is about (may be repeated; default: all)', several)
      .option('--code <code>', 'short stable word for the reason', 'rejected_by_reviewer')
      .addHelpText(
        'after',
        `\nExample:\n  work-manager ${words}reject 01890a5d-ac96-774b-bcce-b302099a8057 --reason "The quote is from another version" --rework\n`,
      )
      .action((id: string, options: RejectOptions) => reject(context, id, options))
  }
  orders
    .command('review')
    .argument('<order>', 'order id')
    .summary('approve or reject, as the predecessor spelled it')
    .description('Approve or reject an order: the predecessor’s spelling of `orders approve` and `orders reject`.')
    .option('--approve', 'apply it')
    .option('--reject', 'refuse it; needs --reason')
    .option('--reason <text>', 'why')
    .option('--allow-rework', 'with --reject: put the items back into the queue')
    .option('--digest <digest>', 'with --approve: only if this is still what would be applied')
    .option('-y, --yes', 'do not ask')
    .action((id: string, options: ReviewOptions) => review(context, id, options))
}

interface ApproveOptions {
  readonly digest?: string
  readonly yes?: boolean
}
interface ReviewOptions extends ApproveOptions {
  readonly approve?: boolean
  readonly reject?: boolean
  readonly reason?: string
  readonly allowRework?: boolean
}

async function review(context: Context, id: string, options: ReviewOptions): Promise<void> {
  if ((options.approve === true) === (options.reject === true))
    throw usageError('Say either --approve or --reject.', `For example: work-manager orders review ${inertLine(id)} --reject --reason "…"`)
  if (options.approve === true) return approve(context, id, options)
  if (options.reason === undefined) throw usageError('A rejection needs a reason.', 'Say in one sentence what is wrong: --reason "…".')
  return reject(context, id, { reason: options.reason, rework: options.allowRework === true, code: 'manual_rejection' })
}

async function approve(context: Context, id: string, options: ApproveOptions): Promise<void> {
  const { out } = context
  if (!someoneThere(context) && options.yes !== true) {
    throw usageError(
      'Nobody sits at this terminal, so nobody can be asked.',
      `Look at the order first (work-manager orders show ${inertLine(id)}), then approve what you saw: --yes --digest <digest>.`,
    )
  }
  // What was looked at is named, and nobody is asked: the server compares it with what is there, and says what changed since it was shown.
  if (options.yes === true && options.digest !== undefined) return decideOn(context, id, options.digest)
  const { order } = await getOrder(context, id)
  const digest = approvable(order, options.digest)
  if (out.isTerminal) for (const line of [...orderLines(order, out.paint), ...contentLines(order, out.paint)]) out.line(line)
  if (options.yes !== true && !(await confirmed(context, 'Approve and apply this?'))) {
    out.line('Nothing was decided.')
    return
  }
  await decideOn(context, id, digest)
}

async function decideOn(context: Context, id: string, digest: string): Promise<void> {
  const { out } = context
  const client = await context.client()
  const { status, body } = await client.call('approve_order', { order: id, digest })
  out.answer(body, () => {
    if (status === 202)
      out.line(`Approved. The changes are still being applied; work-manager orders show ${body.order.id} tells when they are.`)
    else out.line(`${out.paint.green('Approved and applied')}${body.diff?.summary ? `: ${inertLine(body.diff.summary)}` : '.'}`)
    for (const [name, change] of Object.entries(body.diff?.changes ?? {}))
      out.line(`  ${inertLine(name)}: ${inertLine(inertJson(change)).slice(0, 200)}`)
  })
}

/** The digest to approve. Refuses with: not_ready_for_approval, content_changed (both before anybody is asked). */
function approvable(order: Order, expected: string | undefined): string {
  if (order.state !== 'submitted' || !order.digest) {
    throw new CliError(
      'conflict',
      'not_ready_for_approval',
      `The order is ${order.state}; ${order.items_submitted} of its ${order.items_total} items are handed in.`,
      order.state === 'submitted' ? 'The server does not say what would be applied; update it.' : 'Only a submitted order can be approved.',
      {
        members: { current_state: order.state },
      },
    )
  }
  if (expected !== undefined && expected !== order.digest) {
    throw new CliError(
      'conflict',
      'content_changed',
      `The order is not what you looked at any more: its digest is ${order.digest}.`,
      `Look again (work-manager orders show ${order.id}) and approve the present digest.`,
    )
  }
  return order.digest
}

interface RejectOptions {
  readonly reason: string
  readonly rework?: boolean
  readonly item?: readonly string[]
  readonly code: string
}

async function reject(context: Context, id: string, options: RejectOptions): Promise<void> {
  const { out } = context
  if (options.reason.trim() === '') throw usageError('The reason is empty.', 'Say in one sentence what is wrong: --reason "…".')
  const error = { code: options.code, message: options.reason }
  const errors = options.item === undefined ? [error] : options.item.map((item) => ({ ...error, item_id: item }))
  const client = await context.client()
  const { body } = await client.call('reject_order', {
    order: id,
    errors,
    allow_rework: options.rework === true,
  })
  out.answer(body, () =>
    out.line(options.rework === true ? `Sent back; the order is ${body.order.state}.` : `Rejected; the order is ${body.order.state}.`),
  )
}
