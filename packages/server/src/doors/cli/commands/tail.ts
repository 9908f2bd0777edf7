/** `tail`: the record, as it grows. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Event } from '../answers.ts'
import type { ApiClient } from '../api-client.ts'
import { wholeNumber } from '../arguments.ts'
import type { Context } from '../context.ts'
import { eventLine } from '../answer-view.ts'
import { inertJson } from '../inert-text.ts'

const pollEveryMs = 1000
/** Of 100 each: a burst above 2,000 facts a second is shown with a gap rather than never caught up with. */
const mostPages = 20

interface EventPage {
  readonly events: Event[]
  readonly next_cursor: string | null
}

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
  let events = (await client.get<EventPage>(path, { limit: options.limit })).events
  for (;;) {
    for (const event of events.toReversed()) {
      shown.add(event.id)
      out.line(out.json ? inertJson(event) : eventLine(event))
    }
    if (options.follow !== true) return
    await sleep(pollEveryMs, undefined, { signal: context.interrupt.signal })
    events = await newEvents(client, path, shown)
  }
}

/** What is not shown yet, newest first: the server pages backwards, so it goes back until a page holds something known. */
async function newEvents(client: ApiClient, path: string, shown: ReadonlySet<string>): Promise<Event[]> {
  const fresh: Event[] = []
  let cursor: string | undefined
  for (let pages = 0; pages < mostPages; pages++) {
    const page: EventPage = await client.get<EventPage>(path, { limit: 100, cursor })
    const unknown = page.events.filter((event) => !shown.has(event.id))
    fresh.push(...unknown)
    if (unknown.length < page.events.length || page.next_cursor === null) break
    cursor = page.next_cursor
  }
  return fresh
}
