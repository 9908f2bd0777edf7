/** `ops check|tail|prune|purge-keys`: for whoever runs the server. */
import type { Command } from 'commander'
import { duration } from '../arguments.ts'
import { CliError, usageError } from '../cli-error.ts'
import { allowedInProduction } from '../confirm.ts'
import type { Context } from '../context.ts'
import { addTail } from './tail.ts'

/** The reclaimer looks every few seconds: this many expired leases mean that it does not run. */
const tooManyExpired = 10

export function addOps(program: Command, context: Context): void {
  const ops = program.command('ops').summary('look after a running server').description('Look after a running server.')
  ops
    .command('check')
    .summary('count what is there and say whether it moves')
    .description(
      `Count orders, items and leases. Exit code 8 when ${tooManyExpired} or more leases have run out and nothing reclaims them.`,
    )
    .action(() => check(context))
  addTail(ops, context)
  ops
    .command('prune')
    .summary('why events are not deleted')
    .description('Events are append-only, so there is nothing to prune; says why and what to do instead.')
    .option('--older-than <span>', 'understood, and refused', duration)
    .option('--dry-run', 'understood, and refused')
    .option('--force', 'understood, and refused')
    .action(() => {
      throw new CliError(
        'refused',
        'append_only',
        'Events are never deleted: each one carries the hash of the one before it, so a gap would make the whole record unverifiable. The database refuses it too.',
        'To keep a copy elsewhere: work-manager ledger export --out ledger.json. To delete old idempotency keys: work-manager ops purge-keys.',
      )
    })
  ops
    .command('purge-keys')
    .summary('delete old idempotency keys')
    .description(
      'Delete idempotency keys older than an age, before their time is over. A repeat with such a key is a new request. Keys of generated work stay.',
    )
    .option('--older-than <span>', 'age, at least 1h', duration, 30 * 86_400)
    .option('--dry-run', 'only count them')
    .option('--force', 'do not ask, even in production')
    .action((options: { olderThan: number; dryRun?: boolean; force?: boolean }) => purgeKeys(context, options))
}

async function check(context: Context): Promise<void> {
  const { out } = context
  const client = await context.client()
  const { body: status } = await client.call('get_status', {})
  const counts = (name: string, all: Readonly<Record<string, number>>) =>
    `${name.padEnd(10)}${Object.entries(all)
      .filter(([state, n]) => n > 0 || state === 'total')
      .map(([state, n]) => `${n} ${state}`)
      .join(', ')}`
  out.answer(status, () => {
    out.line(`database  ${status.database.status}, PostgreSQL ${status.database.version}`)
    out.line(counts('orders', status.orders))
    out.line(counts('items', status.items))
    out.line(`leases    ${status.leases.active} active, ${status.leases.expired} expired`)
    out.line(
      `ledger    ${status.ledger.unnumbered === 0 ? 'every event is numbered' : `${status.ledger.unnumbered} events not numbered yet`}`,
    )
  })
  if (status.leases.expired >= tooManyExpired)
    throw new CliError(
      'unfit',
      'leases_not_reclaimed',
      `${status.leases.expired} leases have run out and nothing takes them back.`,
      'Look whether background tools run (background.enabled); meanwhile: work-manager lease reclaim.',
    )
}

async function purgeKeys(
  context: Context,
  { olderThan, dryRun, force }: { olderThan: number; dryRun?: boolean; force?: boolean },
): Promise<void> {
  if (olderThan < 3600) throw usageError('--older-than is less than an hour: such keys are in use by retries.', 'Say 1h or more.')
  if (dryRun !== true && !(await allowedInProduction(context, 'Delete these idempotency keys?', force === true))) return
  const client = await context.client()
  let keys = 0
  for (;;) {
    const { body } = await client.call('purge_idempotency_keys', {
      older_than_seconds: olderThan,
      dry_run: dryRun === true,
    })
    keys += body.keys
    if (!body.more) break
  }
  context.out.answer({ keys, dry_run: dryRun === true }, () =>
    context.out.line(dryRun === true ? `${keys} keys would be deleted.` : `${keys} keys deleted.`),
  )
}
