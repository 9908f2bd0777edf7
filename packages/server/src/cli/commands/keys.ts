/** `keys create|claim|list|rotate|revoke`. A key is shown once, when it is made, and to nobody but its owner. */
import { Option, type Command } from 'commander'
import type { ListedKey } from '../../access/key-admin.ts'
import { nearestName } from '@work-manager/contract/names'
import { several } from '../arguments.ts'
import type { Context } from '../context.ts'
import { usageError } from '../cli-error.ts'
import { claimKey, withKeyStore } from '../key-store.ts'
import type { IssuedKey } from '../../access/issue-key.ts'
import type { Column } from '../table.ts'
import { usualAbilities } from '../usual-abilities.ts'

type Kind = 'agent' | 'person' | 'service'

const columns: Column<ListedKey>[] = [
  { title: 'ID', value: (key) => key.id },
  { title: 'PREFIX', value: (key) => key.prefix },
  { title: 'FOR', value: (key) => `${key.kind} ${key.principal_id}`, elastic: true },
  { title: 'NAME', value: (key) => key.name, elastic: true },
  { title: 'ABILITIES', value: (key) => key.abilities.join(' '), elastic: true },
  {
    title: 'STATE',
    value: (key) =>
      key.revoked_at !== null
        ? key.invitation
          ? 'redeemed'
          : 'revoked'
        : key.invitation
          ? 'invited'
          : key.expires_at === null
            ? 'valid'
            : `until ${key.expires_at}`,
  },
]

interface CreateOptions {
  readonly kind: Kind
  readonly principal: string
  readonly name?: string
  readonly ability?: readonly string[]
  readonly expires?: string
  readonly invite?: boolean
  readonly tenant?: string
}

export function addKeys(program: Command, context: Context): void {
  const keys = program
    .command('keys')
    .summary('make, claim, list, rotate and revoke API keys')
    .description('API keys: make, claim, list, rotate, revoke.')
  tenanted(keys.command('create').summary('make a key'))
    .description(
      'Make a key. It is shown once and stored only as a hash. For another person it is an invitation, which that person redeems for the key with `keys claim`.',
    )
    .addOption(new Option('--kind <kind>', 'whom the key stands for').choices(['agent', 'person', 'service']).makeOptionMandatory())
    .requiredOption('--principal <id>', 'id of that agent, person or service; it appears on the record')
    .option('--name <text>', 'what people call this key (default: the principal)')
    .option(
      '--ability <ability>',
      'what it may do, such as work:submit or work:* (may be repeated; default: what such a one usually needs)',
      several,
    )
    .option('--expires <time>', 'when it stops working: a date or time such as 2027-01-31, or days such as 90d')
    .option('--invite', 'an invitation also where the database is opened directly and the key of a person would be shown')
    .addHelpText('after', '\nExample:\n  work-manager keys create --kind agent --principal crawler-1\n')
    .action(async (options: CreateOptions) => {
      const key = {
        kind: options.kind,
        principalId: options.principal,
        name: options.name ?? options.principal,
        abilities: await checkedAbilities(options.ability ?? usualAbilities[options.kind]),
        expiresAt: expiry(options.expires),
      }
      const made = await withKeyStore(context, options.tenant, (store) =>
        store.create(key, { invite: options.invite === true && options.kind === 'person' }),
      )
      showSecret(context, made)
    })
  keys
    .command('claim')
    .argument('[invitation]', 'the invitation (default: --key, --key-file or WORK_MANAGER_KEY)')
    .summary('take the key that you were invited to')
    .description('Redeem an invitation for your own key. It works once; the key is shown to you and to nobody else.')
    .addHelpText('after', '\nExample:\n  work-manager keys claim wm_i_…\n')
    .action(async (invitation: string | undefined) => {
      const named = invitation === undefined ? await context.namedKey() : { text: invitation.trim(), from: 'the argument' }
      if (named === undefined)
        throw usageError('There is no invitation.', 'Give it as the argument, or as the key (--key-file, WORK_MANAGER_KEY).')
      showSecret(context, await claimKey(context, named))
    })
  tenanted(keys.command('list').summary('list keys'))
    .description('List keys, without their secrets.')
    .action(async (options: { tenant?: string }) => {
      const all = await withKeyStore(context, options.tenant, (store) => store.list())
      context.out.answer(all, () => context.out.table(columns, all, 'No keys.'))
    })
  tenanted(keys.command('rotate').argument('<key>', 'id of the key').summary('replace a key'))
    .description('Replace a key by a new one with the same abilities. The old one still works for a short while, so that nothing stops.')
    .action(async (id: string, options: { tenant?: string }) =>
      showSecret(context, await withKeyStore(context, options.tenant, (store) => store.rotate(id))),
    )
  tenanted(keys.command('revoke').argument('<key>', 'id of the key').summary('end a key'))
    .description('End a key for good.')
    .action(async (id: string, options: { tenant?: string }) => {
      await withKeyStore(context, options.tenant, (store) => store.revoke(id))
      context.out.answer({ id, revoked: true }, () => context.out.line('Revoked.'))
    })
}

function tenanted(command: Command): Command {
  return command.option('--tenant <slug>', 'tenant (only where the database is opened directly; default: default)')
}

function showSecret(context: Context, made: IssuedKey): void {
  const { id, key, invitation, claim_until: until } = made
  context.out.answer(invitation === null ? { id, key } : { id, key, invitation, claim_until: until }, () => {
    context.out.line((key ?? invitation)!)
    context.out.note(
      key === null
        ? `This is an invitation, not the key: give it to that person, who runs \`npx work-manager keys claim <it>\` once, until ${until}.`
        : 'Keep it now: it is not shown again.',
    )
  })
}

async function checkedAbilities(asked: readonly string[]): Promise<string[]> {
  const { grants } = await import('@work-manager/contract')
  for (const name of asked) {
    if (grants.includes(name)) continue
    const nearest = nearestName(name, grants)
    throw usageError(
      `There is no ability '${name}'.`,
      nearest === undefined ? `Known are ${grants.join(', ')}.` : `Did you mean ${nearest}?`,
    )
  }
  return [...asked]
}

function expiry(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const days = /^(\d{1,5})d$/.exec(text)
  const time = days === null ? Date.parse(text) : Date.now() + Number(days[1]) * 86_400_000
  const dated = days !== null || /^\d{4}-\d{2}-\d{2}(T.+)?$/.test(text)
  if (!dated || Number.isNaN(time))
    throw usageError(
      `--expires '${text}' is not a time.`,
      'Write a date (2027-01-31), a time with zone (2027-01-31T12:00:00Z), or days from now (90d).',
    )
  if (time <= Date.now()) throw usageError(`--expires '${text}' is in the past.`, 'Name a time to come.')
  return new Date(time).toISOString()
}
