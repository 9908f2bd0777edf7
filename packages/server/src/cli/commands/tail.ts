/** `tail`: the record, as it grows. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ListEventsInput } from '@work-manager/sdk'
import type { Command } from 'commander'
import type { Event } from '../answers.ts'
import { wholeNumber } from '../arguments.ts'
import type { Context } from '../context.ts'
import type { ServerClient } from '../server-client.ts'
import { eventLine } from '../answer-view.ts'
import { inertJson } from '../../log/inert-text.ts'

const pollEveryMs = 1000
/** Of 100 each: a burst above 2,000 events a second is shown with a gap rather than never caught up with. */
const mostPages = 20

interface EventPage {
  readonly events: readonly Event[]
  readonly next_cursor: string | null
}

export function addTail(program: Command, context: Context): void {
  program
    .command('tail')
    .summary('show the latest events on record')
    .description('Show the latest events on record, oldest first.')
    .option('--order <order>', 'only this order')
    .option('--item <item>', 'only this item')
    .option('--event <kind>', 'only this kind of event, such as item.submitted')
    .option('-f, --follow', 'go on showing new ones until Ctrl-C')
    .option('--limit <n>', 'how many to begin with', wholeNumber(1, 100), 20)
    .action((options: TailOptions) => tail(context, options))
}

interface TailOptions {
  readonly order?: string
  readonly item?: string
  readonly event?: string
  readonly follow?: boolean
  readonly limit: number
}

interface Source {
  readonly page: (client: ServerClient, limit: number, cursor?: string) => Promise<{ readonly body: EventPage }>
  /** What the operation does not select by itself. */
  readonly wanted: (one: Event) => boolean
}

/** Where the events are read. */
function sourceOf({ order, item, event }: TailOptions): Source {
  const isOfKind = (one: Event) => event === undefined || one.kind === event
  if (item !== undefined)
    return {
      page: (client, limit, cursor) => client.call('get_item_logs', { item, limit, cursor }),
      wanted: (one) => one.item_id === item.toLowerCase() && isOfKind(one),
    }
  if (order !== undefined)
    return { page: (client, limit, cursor) => client.call('get_order_logs', { order, limit, cursor }), wanted: isOfKind }
  const kind = event as ListEventsInput['kind']
  return { page: (client, limit, cursor) => client.call('list_events', { kind, limit, cursor }), wanted: () => true }
}

async function tail(context: Context, options: TailOptions): Promise<void> {
  const { out } = context
  const client = await context.client()
  const source = sourceOf(options)
  const shown = new Set<string>()
  let events: readonly Event[] = (await source.page(client, options.limit)).body.events
  for (;;) {
    for (const event of events.toReversed()) {
      shown.add(event.id)
      if (!source.wanted(event)) continue
      out.line(out.json ? inertJson(event) : eventLine(event))
    }
    if (options.follow !== true) return
    await sleep(pollEveryMs, undefined, { signal: context.interrupt.signal })
    events = await newEvents(client, source, shown)
  }
}

/** What is not shown yet, newest first: the server pages backwards, so it goes back until a page holds something known. */
async function newEvents(client: ServerClient, source: Source, shown: ReadonlySet<string>): Promise<Event[]> {
  const fresh: Event[] = []
  let cursor: string | undefined
  for (let pages = 0; pages < mostPages; pages++) {
    const { body: page } = await source.page(client, 100, cursor)
    const unknown = page.events.filter((event) => !shown.has(event.id))
    fresh.push(...unknown)
    if (unknown.length < page.events.length || page.next_cursor === null) break
    cursor = page.next_cursor
  }
  return fresh
}
