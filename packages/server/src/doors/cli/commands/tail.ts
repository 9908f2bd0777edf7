/** `tail`: the record, as it grows. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Event } from '../answers.ts'
import { wholeNumber } from '../arguments.ts'
import type { Context } from '../context.ts'
import { inertJson, inertLine } from '../inert-text.ts'
import { moment } from './orders.ts'

const pollEveryMs = 1000

export function addTail(program: Command, context: Context): void {
  program
    .command('tail')
    .summary('show the latest facts on record')
    .description('Show the latest facts on record, oldest first.')
    .option('--order <order>', 'only this order')
    .option('-f, --follow', 'go on showing new ones until Ctrl-C')
    .option('--limit <n>', 'how many to begin with', wholeNumber(1, 100), 20)
    .action((options: { order?: string; follow?: boolean; limit: number }) => tail(context, options))
}

async function tail(context: Context, options: { order?: string; follow?: boolean; limit: number }): Promise<void> {
  const { out } = context
  const client = await context.client()
  const path = options.order === undefined ? '/events' : `/orders/${encodeURIComponent(options.order)}/logs`
  const shown = new Set<string>()
  for (;;) {
    const { events } = await client.get<{ events: Event[] }>(path)
    // The server gives the newest first.
    const fresh = events.filter((event) => !shown.has(event.id)).slice(0, shown.size === 0 ? options.limit : undefined).reverse()
    for (const event of events) shown.add(event.id)
    for (const event of fresh) out.line(out.json ? inertJson(event) : lineOf(event))
    if (options.follow !== true) return
    await sleep(pollEveryMs, undefined, { signal: context.interrupt.signal })
  }
}

function lineOf(event: Event): string {
  const who = event.actor_id === null ? (event.actor_type ?? '') : `${event.actor_type} ${inertLine(event.actor_id)}`
  return [moment(event.created_at), event.kind.padEnd(24), who.padEnd(20), event.item_id ?? event.order_id ?? '', event.message === null ? '' : inertLine(event.message)].join('  ').trimEnd()
}
