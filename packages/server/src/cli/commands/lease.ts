/** `lease release|extend|reclaim`: a person moves leases of agents, with a reason. */
import type { InputOf } from '@work-manager/sdk'
import type { Command } from 'commander'
import { moment } from '../answer-view.ts'
import { duration } from '../arguments.ts'
import { usageError } from '../cli-error.ts'
import { allowedInProduction } from '../confirm.ts'
import type { Context } from '../context.ts'
import type { Column } from '../table.ts'

interface Lease {
  readonly item_id: string
  readonly order_id: string
  readonly order_type: string
  readonly agent_id: string | null
  readonly lease_expires_at: string
}
interface Answer {
  readonly leases: readonly Lease[]
  readonly more: boolean
  readonly dry_run: boolean
}
interface Options {
  readonly agent?: string
  readonly order?: string
  readonly type?: string
  readonly olderThan?: number
  readonly all?: boolean
  readonly reason?: string
  readonly dryRun?: boolean
  readonly force?: boolean
}

const columns: Column<Lease>[] = [
  { title: 'ITEM', value: (lease) => lease.item_id },
  { title: 'ORDER', value: (lease) => lease.order_id },
  { title: 'TYPE', value: (lease) => lease.order_type, elastic: true },
  { title: 'HELD BY', value: (lease) => lease.agent_id, elastic: true },
  { title: 'LEASE ENDS', value: (lease) => moment(lease.lease_expires_at) },
]

export function addLease(program: Command, context: Context): void {
  const lease = program
    .command('lease')
    .summary('end, extend and reclaim leases of agents')
    .description('Leases of agents: end them, give them time, take expired ones back. Only a person’s key with admin:leases may.')
  selecting(lease.command('release'))
    .summary('end leases')
    .description('End leases, with a reason: the items go back to the queue at once, and what the holders still hand in is refused.')
    .option('--older-than <span>', 'only leases whose holder gave no sign of life for this long, such as 15m', duration)
    .option('--all', 'every lease')
    .option('--force', 'do not ask, even in production')
    .addHelpText('after', '\nExample:\n  work-manager lease release --agent crawler-1 --reason "It loops"\n')
    .action(async (options: Options) => {
      const reason = reasonOf(options)
      if (options.dryRun !== true && !(await allowedInProduction(context, 'End these leases?', options.force === true))) return
      await send(context, 'revoke_leases', { ...selected(options), reason }, 'ended')
    })
  selecting(lease.command('extend'))
    .summary('give leases more time')
    .description('Give live leases more time, with a reason; a later heartbeat of the agent does not take it away.')
    .option('--ttl <span>', 'they last at least this long from now, such as 2h', duration, 900)
    .option('--all', 'every lease')
    .action((options: Options & { readonly ttl: number }) =>
      send(context, 'extend_leases', { ...selected(options), reason: reasonOf(options), ttl_seconds: options.ttl }, 'extended'),
    )
  selecting(lease.command('reclaim'))
    .summary('take expired leases back now')
    .description('Take back leases that have run out, without waiting for the server to do it.')
    .action((options: Options) => {
      const { agent, order, type, dryRun, reason } = options
      return send(context, 'reclaim_leases', { agent, order, type, reason, dry_run: dryRun }, 'reclaimed')
    })
}

function selecting(command: Command): Command {
  return command
    .option('--agent <agent>', 'only leases of this agent')
    .option('--order <order>', 'only items of this order')
    .option('--type <type>', 'only items of orders of this type')
    .option('--reason <text>', 'why; it stands on the record')
    .option('--dry-run', 'only say which leases it would be')
}

/** Refuses with: usage when nothing selects. */
function selected({ agent, order, type, olderThan, all, dryRun }: Options): Record<string, unknown> {
  if (all !== true && [agent, order, type, olderThan].every((one) => one === undefined))
    throw usageError('Which leases?', 'Select with --agent, --order, --type or --older-than, or say --all.')
  return { agent, order, type, silent_for_seconds: olderThan, all, dry_run: dryRun }
}

function reasonOf({ reason, dryRun }: Options): string {
  if (reason !== undefined && reason.trim() !== '') return reason
  if (dryRun === true) return 'only looking'
  throw usageError(
    'Moving other people’s leases needs a reason.',
    'Say why; it stands on the record: --reason "…". To look first: --dry-run.',
  )
}

/** Call by call until no others match; a dry run looks once. Extended leases end last and so come last: one seen again means the end. */
async function send<Name extends 'revoke_leases' | 'extend_leases' | 'reclaim_leases'>(
  context: Context,
  operation: Name,
  input: InputOf<Name>,
  done: string,
): Promise<void> {
  const client = await context.client()
  const leases = new Map<string, Lease>()
  let answer: Answer
  let fresh: readonly Lease[]
  do {
    answer = (await client.call(operation, input)).body as Answer
    fresh = answer.leases.filter((lease) => !leases.has(lease.item_id))
    for (const lease of fresh) leases.set(lease.item_id, lease)
  } while (answer.more && !answer.dry_run && fresh.length > 0)
  const all = [...leases.values()]
  context.out.answer({ leases: all, more: answer.more, dry_run: answer.dry_run }, () => {
    context.out.table(columns, all, 'No such leases.')
    if (all.length > 0) context.out.line(answer.dry_run ? `${all.length} would be ${done}.` : `${all.length} ${done}.`)
    if (answer.more) context.out.line(context.out.paint.dim('Others match too; select more narrowly.'))
  })
}
