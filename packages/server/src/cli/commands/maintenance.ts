/** `generate`, `maintain`: what the background services do, now and once: through a server that runs, else in the database itself. */
import type { Command } from 'commander'
import type { WorkManager } from '../../main.ts'
import type { Generator } from '../../work/generators/define-generator.ts'
import type { ProposedOrder } from '../../work/order-types/order-type.ts'
import type { Context } from '../context.ts'
import { usageError } from '../cli-error.ts'
import { inertLine } from '../../log/inert-text.ts'
import { localTenant } from '../local-tenant.ts'
import { opensDatabase, withManager } from '../opened-manager.ts'

const chores = [
  { flag: 'reclaimLeases', member: 'reclaim_leases', service: 'lease-reclaimer', done: 'leases reclaimed', count: 'leases_reclaimed' },
  { flag: 'deadLetter', member: 'dead_letter', service: 'dead-letterer', done: 'orders set aside', count: 'dead_lettered' },
  { flag: 'checkStale', member: 'check_stale', service: 'stale-order-alert', done: 'stale orders reported', count: 'stale_reported' },
] as const

type Chores = Partial<Record<(typeof chores)[number]['flag'], boolean>>

export function addMaintenance(program: Command, context: Context): void {
  program
    .command('generate')
    .summary('run the generators that are due')
    .description('Run the generators that are due, without waiting for the server to do it.')
    .option('--dry-run', 'only say what each generator would propose')
    .option('--generator <name>', 'only this one, whether it is due or not (needs a running server)')
    .action(async (options: { dryRun?: boolean; generator?: string }) => {
      if (!(await opensDatabase(context))) return generateThroughServer(context, options)
      if (options.generator !== undefined)
        throw usageError('--generator needs a running server.', 'Start one with `work-manager serve`, or name it with --url.')
      return generate(context, options.dryRun === true)
    })
  program
    .command('maintain')
    .summary('do the housekeeping once')
    .description('Do the housekeeping once. Without an option: all of it.')
    .option('--reclaim-leases', 'take expired leases back')
    .option('--dead-letter', 'set failed orders aside')
    .option('--check-stale', 'report orders that do not move')
    .action(async (options: Chores) =>
      (await opensDatabase(context)) ? maintain(context, options) : maintainThroughServer(context, options),
    )
}

async function generateThroughServer(context: Context, options: { dryRun?: boolean; generator?: string }): Promise<void> {
  const client = await context.client()
  const input = { generator: options.generator, dry_run: options.dryRun === true }
  const { body } = await client.call('run_generators', input, { timeoutMs: 300_000 })
  context.out.answer(body, () => {
    if (body.generators.length === 0)
      context.out.line('There are no generators; put files with defineGenerator into a directory of order_types.directories.')
    for (const { generator, ran, found, proposed, error, next_run: next } of body.generators) {
      const what = !ran ? 'is not due' : options.dryRun === true ? `would propose ${found}` : `proposed ${proposed} of ${found}`
      context.out.line(
        `${inertLine(generator)}: ${what}${error === null ? '' : `; it failed: ${inertLine(error)}`}; next due ${next ?? 'never'}`,
      )
    }
  })
}

async function maintainThroughServer(context: Context, options: Chores): Promise<void> {
  const client = await context.client()
  const input = Object.fromEntries(chores.filter(({ flag }) => options[flag] === true).map(({ member }) => [member, true]))
  const { body } = await client.call('run_maintenance', input, { timeoutMs: 300_000 })
  const results = chores.filter(({ count }) => typeof body[count] === 'number')
  context.out.answer(Object.fromEntries(results.map(({ service, count }) => [service, body[count]])), () => {
    for (const { done, count } of results) context.out.line(`${body[count]} ${done}`)
  })
}

function serviceOf(manager: WorkManager, name: string): { runOnce(): Promise<number> } {
  const service = manager.background[name]
  if (service === undefined)
    throw new Error(`There is no background service named ${name}; known are ${Object.keys(manager.background).join(', ')}.`)
  return service
}

async function generate(context: Context, dryRun: boolean): Promise<void> {
  await withManager(context, async (manager) => {
    const { generators } = manager.tools.types
    if (generators.length === 0) {
      context.out.answer({ proposed: 0 }, () =>
        context.out.line('There are no generators; put files with defineGenerator into a directory of order_types.directories.'),
      )
      return
    }
    if (dryRun) return rehearse(context, generators)
    const proposed = await serviceOf(manager, 'generator-runner').runOnce()
    context.out.answer({ proposed }, () => context.out.line(`${proposed} ${proposed === 1 ? 'order' : 'orders'} proposed.`))
  })
}

/** What every generator would propose now, due or not. One that names no tenants is asked for the local one. */
async function rehearse(context: Context, generators: readonly Generator[]): Promise<void> {
  const found: { generator: string; schedule: string; next_run: string | null; tenant: string; orders: readonly ProposedOrder[] }[] = []
  for (const generator of generators) {
    const now = new Date()
    for (const tenant of generator.tenants ?? [localTenant.slug]) {
      const { findOrders } = await import('../../work/generators/run-generator.ts')
      const orders = await findOrders(generator, tenant, context.interrupt.signal)
      found.push({
        generator: generator.name,
        schedule: generator.schedule,
        next_run: generator.nextRun(now)?.toISOString() ?? null,
        tenant,
        orders,
      })
    }
  }
  context.out.answer({ would_propose: found }, () => {
    for (const { generator, tenant, orders, next_run: next } of found)
      context.out.line(
        `${inertLine(generator)} for ${inertLine(tenant)}: would propose ${orders.length} ${orders.length === 1 ? 'order' : 'orders'}; next due ${next ?? 'never'}`,
      )
  })
}

async function maintain(context: Context, options: Chores): Promise<void> {
  const asked = chores.filter((chore) => options[chore.flag] === true)
  const todo = asked.length === 0 ? chores : asked
  await withManager(context, async (manager) => {
    const results: { service: string; done: string; count: number }[] = []
    for (const { service, done } of todo) results.push({ service, done, count: await serviceOf(manager, service).runOnce() })
    context.out.answer(Object.fromEntries(results.map(({ service, count }) => [service, count])), () => {
      for (const { done, count } of results) context.out.line(`${count} ${done}`)
    })
  })
}
