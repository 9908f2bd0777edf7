/** `tenants list|tier`: for whoever runs the server; a tenant's own people have no say in what it is entitled to. */
import { Argument, type Command } from 'commander'
import type { Tier } from '@work-manager/contract'
import type { KeyAdmin } from '../../access/key-admin.ts'
import { usageError } from '../cli-error.ts'
import type { Context } from '../context.ts'
import { opensDatabase, withManager } from '../opened-manager.ts'
import type { Column } from '../table.ts'

type Tenant = Awaited<ReturnType<KeyAdmin['tenants']>>[number]

const columns: Column<Tenant>[] = [
  { title: 'TENANT', value: (tenant) => tenant.slug },
  { title: 'NAME', value: (tenant) => tenant.name, elastic: true },
  { title: 'TIER', value: (tenant) => tenant.tier },
  { title: 'STATE', value: (tenant) => (tenant.suspended ? 'suspended' : 'active') },
]

/** Each of them, or this does not compile; the contract itself is too much to load for four words. */
const tiers: Readonly<Record<Tier, true>> = { enterprise: true, professional: true, default: true, free: true }

export function addTenants(program: Command, context: Context): void {
  const tenants = program
    .command('tenants')
    .summary('list tenants and set what they are entitled to')
    .description('Tenants: list them, and set the tier that says how many requests each principal may send (see rate_limits).')
  tenants
    .command('list', { isDefault: true })
    .summary('list tenants')
    .description('List every tenant with its tier.')
    .action(async () => {
      const all = await inDatabase(context, (keys) => keys.tenants())
      context.out.answer(all, () => context.out.table(columns, all, 'No tenants.'))
    })
  tenants
    .command('tier')
    .argument('<tenant>', 'slug of the tenant')
    .addArgument(new Argument('<tier>', 'what it is entitled to').choices(Object.keys(tiers)))
    .summary('set the tier of a tenant')
    .description('Set the tier of a tenant. Running servers apply it within seconds; the record keeps it.')
    .addHelpText('after', '\nExample:\n  work-manager tenants tier acme professional\n')
    .action(async (tenant: string, tier: Tier) => {
      const { before } = await inDatabase(context, (keys) => keys.setTier(tenant, tier))
      context.out.answer({ tenant, tier, before }, () =>
        context.out.line(before === tier ? `${tenant} is ${tier} already.` : `${tenant} is ${tier} now; it was ${before}.`),
      )
    })
}

async function inDatabase<T>(context: Context, use: (keys: KeyAdmin) => Promise<T>): Promise<T> {
  if (!(await opensDatabase(context)))
    throw usageError(
      'Tenants cannot be managed through a server: no key of a tenant may change what it is entitled to.',
      'Run the command where DATABASE_URL is set. With the embedded database: stop the server, run it again, start the server. Name no server (--url, WORK_MANAGER_URL) with it.',
    )
  return withManager(context, ({ keys }) => use(keys))
}
