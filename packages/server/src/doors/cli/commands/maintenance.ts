/** `generate`, `maintain`: what the background services do, now and once. */
import type { Command } from 'commander'
import type { WorkManager } from '../../../main.ts'
import type { Context } from '../context.ts'
import { inertLine } from '../inert-text.ts'
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
    .option('--dry-run', 'only list the generators and when they are due')
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
  const service = manager.runServices[name]
  if (service === undefined) throw new Error(`There is no background service named ${name}; known are ${Object.keys(manager.runServices).join(', ')}.`)
  return service
}

async function generate(context: Context, dryRun: boolean): Promise<void> {
  await withManager(context, async (manager) => {
    const generators = manager.services.types.generators.map((generator) => ({ name: generator.name, schedule: generator.schedule, next_run: generator.nextRun(new Date())?.toISOString() ?? null }))
    if (dryRun || generators.length === 0) {
      context.out.answer({ generators, proposed: 0 }, () => {
        if (generators.length === 0) context.out.line('There are no generators; put files with defineGenerator into a directory of order_types.directories.')
        for (const each of generators) context.out.line(`${inertLine(each.name)}  ${each.schedule}  next ${each.next_run ?? 'never'}`)
      })
      return
    }
    const proposed = await serviceOf(manager, 'generator-runner').runOnce()
    context.out.answer({ generators, proposed }, () => context.out.line(`${proposed} ${proposed === 1 ? 'order' : 'orders'} proposed.`))
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
