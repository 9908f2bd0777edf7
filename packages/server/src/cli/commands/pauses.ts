/** `pause`, `resume`, `pauses`: the kill switch. */
import { userInfo } from 'node:os'
import type { Command } from 'commander'
import { moment } from '../answer-view.ts'
import { CliError, usageError } from '../cli-error.ts'
import { allowedInProduction } from '../confirm.ts'
import type { Context } from '../context.ts'
import { inertLine } from '../../log/inert-text.ts'
import { withManager } from '../opened-manager.ts'
import type { Column } from '../table.ts'

interface Pause {
  readonly scope: string
  readonly subject: string
  readonly reason: string
  readonly principal: string
  readonly paused_at: string
}
interface Options {
  readonly agent?: string
  readonly type?: string
  readonly all?: boolean
  readonly everything?: boolean
  readonly reason?: string
  readonly force?: boolean
}
interface Ended {
  readonly leases_ended: number
  readonly effects_running: number
}

const columns: Column<Pause>[] = [
  { title: 'SCOPE', value: (pause) => pause.scope },
  { title: 'WHAT', value: (pause) => pause.subject, elastic: true },
  { title: 'SINCE', value: (pause) => moment(pause.paused_at) },
  { title: 'BY', value: (pause) => pause.principal, elastic: true },
  { title: 'WHY', value: (pause) => pause.reason, elastic: true },
]

export function addPauses(program: Command, context: Context): void {
  aiming(program.command('pause'))
    .summary('stop an agent, a type or everything')
    .description(
      'Stop an agent, an order type, the tenant or everything until you resume it: its leases end, nothing more is leased, applied or sent. Only a person’s key with admin:pause may; --everything works on the server’s own database.',
    )
    .option('--force', 'do not ask, even in production')
    .addHelpText('after', '\nExample:\n  work-manager pause --agent crawler-1 --reason "It deletes what it should read"\n')
    .action(async (options: Options) => {
      const aim = aimed(options)
      if (!(await allowedInProduction(context, 'Stop it?', options.force === true))) return
      if (options.everything === true) return pauseAllTenants(context, aim.reason)
      const { body } = await (await context.client()).call('pause', aim)
      context.out.answer(body, () => tell(context, body))
    })
  aiming(program.command('resume'))
    .summary('lift a pause')
    .description('Lift a pause: what it stopped goes on at once.')
    .addHelpText('after', '\nExample:\n  work-manager resume --agent crawler-1 --reason "Its prompt is corrected"\n')
    .action(async (options: Options) => {
      const aim = aimed(options)
      if (options.everything === true) return resumeAllTenants(context, aim.reason)
      const { body } = await (await context.client()).call('resume', aim)
      context.out.answer(body, () =>
        context.out.line(`Resumed; it was paused since ${moment(body.lifted.paused_at)}: ${inertLine(body.lifted.reason)}`),
      )
    })
  program
    .command('pauses')
    .summary('list what is paused')
    .description('What is paused now, since when, by whom and why.')
    .action(async () => {
      const { pauses } = (await (await context.client()).call('list_pauses', {})).body
      context.out.answer({ pauses }, () => context.out.table(columns, pauses, 'Nothing is paused.'))
    })
}

function aiming(command: Command): Command {
  return command
    .option('--agent <agent>', 'this agent id; or a principal such as service:crm, with every agent id that it names')
    .option('--type <type>', 'this order type')
    .option('--all', 'everything of the tenant')
    .option('--everything', 'all tenants, on the server’s own database')
    .option('--reason <text>', 'why; it stands on the record')
}

/** Refuses with: usage unless exactly one target and a reason are given. */
function aimed({ agent, type, all, everything, reason }: Options): Record<string, unknown> & { reason: string } {
  if ([agent !== undefined, type !== undefined, all === true, everything === true].filter(Boolean).length !== 1)
    throw usageError('What exactly?', 'Say one of --agent, --type, --all (the tenant) and --everything (all tenants).')
  if (reason === undefined || reason.trim() === '')
    throw usageError('It needs a reason.', 'Say why; it stands on the record: --reason "…".')
  return { agent, type, all, reason }
}

function tell(context: Context, { leases_ended: leases, effects_running: effects }: Ended): void {
  context.out.line(`Paused; ${leases} ${leases === 1 ? 'lease' : 'leases'} ended.`)
  if (effects > 0)
    context.out.line(
      `${effects} outside ${effects === 1 ? 'call' : 'calls'} began before and still ${effects === 1 ? 'runs' : 'run'}; they cannot be called back.`,
    )
}

/** Also while a server runs the embedded database: the pause goes past it, so it works when the server does not listen any more. */
async function onOwnDatabase<T>(context: Context, use: Parameters<typeof withManager<T>>[1]): Promise<T> {
  const { database } = await context.config()
  if (database.url !== undefined) return withManager(context, use)
  const { findRunningPostgres } = await import('../../main.ts')
  return withManager(context, use, await findRunningPostgres(database.data_directory))
}

const principal = (): string => `system:command-line (${userInfo().username})`

async function pauseAllTenants(context: Context, reason: string): Promise<void> {
  const { pauseEverything } = await import('../../work/pauses/pausing.ts')
  const done = await onOwnDatabase(context, ({ tools }) => pauseEverything(tools, { reason, principal: principal() }))
  const body = {
    pause: { scope: 'everything', subject: '', reason, principal: principal(), paused_at: done.pausedAt },
    leases_ended: done.leasesEnded,
    effects_running: done.effectsRunning,
  }
  context.out.answer(body, () => tell(context, body))
}

async function resumeAllTenants(context: Context, reason: string): Promise<void> {
  const { resumeEverything } = await import('../../work/pauses/pausing.ts')
  const lifted = await onOwnDatabase(context, ({ tools }) => resumeEverything(tools, { reason, principal: principal() }))
  if (!lifted)
    throw new CliError('refused', 'not_found', 'Everything is not paused.', 'work-manager pauses lists the narrower pauses of your tenant.')
  context.out.answer({ lifted: true }, () => context.out.line('Resumed.'))
}
