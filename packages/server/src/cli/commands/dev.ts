/** `dev seed`, `dev reset`: for trying things out, never in production. */
import { rm } from 'node:fs/promises'
import type { Command } from 'commander'
import { wholeNumber } from '../arguments.ts'
import { jsonValue } from '../call-operation.ts'
import { CliError, usageError } from '../cli-error.ts'
import { confirmed, inProduction, someoneThere } from '../confirm.ts'
import type { Context } from '../context.ts'
import { sampleOf } from '../json-sample.ts'
import { answers } from '../opened-manager.ts'
import { getOrderType } from './types.ts'

export function addDev(program: Command, context: Context): void {
  const dev = program
    .command('dev')
    .summary('try things out')
    .description('Try things out: fill a server with orders, start again with an empty one.')
  dev
    .command('seed')
    .summary('propose some orders')
    .description(
      'Propose some orders of a type. Without --payload the payload is made up from the schema of the type; the orders carry meta.seeded.',
    )
    .requiredOption('--type <type>', 'which order type')
    .option('--count <n>', 'how many', wholeNumber(1, 1000), 5)
    .option('--priority <n>', 'their priority', wholeNumber(0, 32_767), 5)
    .option('--payload <json>', 'the payload of each: JSON text, @file, or - for standard input')
    .option('--auto-plan', 'understood; orders are planned at once anyway')
    .addHelpText('after', '\nExample:\n  work-manager dev seed --type dependency.license-audit --count 3\n')
    .action((options: SeedOptions) => seed(context, options))
  dev
    .command('reset')
    .summary('delete the embedded database')
    .description(
      'Delete the embedded database of this directory, with everything in it: orders, record and keys. Refused in production and while a server runs.',
    )
    .option('--force', 'do not ask')
    .action((options: { force?: boolean }) => reset(context, options.force === true))
}

interface SeedOptions {
  readonly type: string
  readonly count: number
  readonly priority: number
  readonly payload?: string
}

async function seed(context: Context, options: SeedOptions): Promise<void> {
  const type = await getOrderType(context, options.type)
  const given = options.payload === undefined ? undefined : await jsonValue(context, options.payload, '--payload')
  const client = await context.client()
  const orders: string[] = []
  for (let n = 1; n <= options.count; n++) {
    const payload = given ?? sampleOf(type.schemas.payload, n)
    try {
      const { body } = await client.call('propose_order', {
        type: options.type,
        payload: payload as object,
        priority: options.priority,
        meta: { seeded: true, seed_index: n },
      })
      orders.push(body.order.id)
    } catch (error) {
      if (given === undefined && error instanceof CliError && error.exit === 5)
        throw new CliError(
          'refused',
          error.code,
          `The payload that was made up from the schema does not fit: ${error.message}`,
          'Give one that does: --payload @payload.json.',
          { members: error.members },
        )
      throw error
    }
  }
  context.out.answer({ proposed: orders }, () =>
    context.out.line(`${orders.length} ${orders.length === 1 ? 'order' : 'orders'} of ${options.type} proposed and planned.`),
  )
}

async function reset(context: Context, force: boolean): Promise<void> {
  if (inProduction(context))
    throw new CliError(
      'refused',
      'production',
      'NODE_ENV is production: dev reset deletes everything and never does so here.',
      'There is no way around it; delete the database by hand if you must.',
    )
  const { database } = await context.config()
  if (database.url !== undefined)
    throw new CliError(
      'refused',
      'not_embedded',
      'The database is a server of its own (DATABASE_URL), and the record in it cannot be deleted row by row.',
      'Drop that database and make it again, then run `work-manager migrate`.',
    )
  const directory = database.data_directory
  if (await answers(await context.url()))
    throw new CliError('unfit', 'already_running', `A server runs on ${directory}.`, 'Stop it first (Ctrl-C where it runs).')
  if (!force) {
    if (!someoneThere(context))
      throw usageError(`Nobody sits at this terminal to be asked whether ${directory} may be deleted.`, 'Say --force.')
    if (!(await confirmed(context, `Delete ${directory} with everything in it?`))) {
      context.out.line('Nothing was done.')
      return
    }
  }
  // Taking the directory as a server would is the only safe proof that nobody uses it, and that it is ours.
  const { withManager } = await import('../opened-manager.ts')
  await withManager(context, () => Promise.resolve())
  await rm(directory, { recursive: true, force: true })
  context.out.answer({ deleted: directory }, () => context.out.line(`Deleted ${directory}; the next start makes a new one.`))
}
