/** `generate`, `maintain`: what the background services do, now and once. */
import type { Command } from 'commander'
import type { WorkManager } from '../../../main.ts'
import type { Generator } from '../../../order-types/define-generator.ts'
import type { ProposedOrder } from '../../../order-types/order-type.ts'
import type { Context } from '../context.ts'
import { inertLine } from '../inert-text.ts'
import { localTenant } from '../local-tenant.ts'
import { withManager } from '../opened-manager.ts'

const chores = [
  { flag: 'reclaimLeases', service: 'lease-reclaimer', done: 'leases reclaimed' },
  { flag: 'deadLetter', service: 'dead-letterer', done: 'orders set aside' },
  { flag: 'checkStale', service: 'stale-order-alert', done: 'stale orders reported' },
] as const

type Chores = Partial<Record<(typeof chores)[number]['flag'], boolean>>

export function addMaintenance(program: Command, context: Context): void {
  program
    .command('generate')
    .summary('run the generators that are due')
    .description('Run the generators that are due, without waiting for the server to do it.')
    .option('--dry-run', 'only say what each generator would propose')
    .action((options: { dryRun?: boolean }) => generate(context, options.dryRun === true))
  program
    .command('maintain')
    .summary('do the housekeeping once')
    .description('Do the housekeeping once. Without an option: all of it.')
    .option('--reclaim-leases', 'take expired leases back')
    .option('--dead-letter', 'set failed orders aside')
    .option('--check-stale', 'report orders that do not move')
    .action((options: Chores) => maintain(context, options))
}

function serviceOf(manager: WorkManager, name: string): { runOnce(): Promise<number> } {
  const service = manager.background[name]
  if (service === undefined)
    throw new Error(`There is no background service named ${name}; known are ${Object.keys(manager.background).join(', ')}.`)
  return service
}

async function generate(context: Context, dryRun: boolean): Promise<void> {
  await withManager(context, async (manager) => {
    const { generators } = manager.services.types
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
      const orders = await generator.generate({ tenant, now, signal: context.interrupt.signal })
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
