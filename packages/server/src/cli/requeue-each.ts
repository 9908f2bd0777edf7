/** Bringing several orders or items back, one call each: what cannot be brought back is said and stops nothing else. */
import { allowedInProduction } from './confirm.ts'
import { CliError, usageError } from './cli-error.ts'
import type { Context } from './context.ts'
import type { ServerClient } from './server-client.ts'
import type { Column } from './table.ts'

export interface Candidate {
  readonly id: string
  readonly type: string
  readonly state: string
}

interface Result extends Candidate {
  readonly requeued: boolean
  readonly code: string | null
  readonly detail: string | null
}

interface Options {
  readonly reason?: string
  readonly dryRun?: boolean
  readonly force?: boolean
  /** One was named: its refusal is the command's. */
  readonly single: boolean
  readonly requeue: (client: ServerClient, id: string, reason: string) => Promise<unknown>
}

/** Refuses with: usage (no reason), the refusal of a single one, refused (exit 5) when some of many could not be brought back. */
export async function requeueEach(context: Context, noun: 'order' | 'item', found: readonly Candidate[], options: Options): Promise<void> {
  const { out } = context
  const many = (n: number) => `${n} ${noun}${n === 1 ? '' : 's'}`
  const columns: Column<Candidate>[] = [
    { title: noun.toUpperCase(), value: (one) => one.id },
    { title: 'TYPE', value: (one) => one.type, elastic: true },
    { title: 'STATE', value: (one) => one.state },
  ]
  if (options.dryRun === true) {
    out.answer({ would_requeue: found }, () => out.table(columns, found, `No ${noun}s.`))
    return
  }
  const { reason } = options
  if (reason === undefined || reason.trim() === '')
    throw usageError(`Bringing work back needs a reason.`, 'Say why; it stands on the record: --reason "…". To look first: --dry-run.')
  if (!(await allowedInProduction(context, `Bring ${many(found.length)} back?`, options.force === true))) return
  const client = await context.client()
  const results: Result[] = []
  for (const one of found) {
    try {
      await options.requeue(client, one.id, reason)
      results.push({ ...one, requeued: true, code: null, detail: null })
    } catch (error) {
      if (options.single || !(error instanceof CliError) || ![5, 6].includes(error.exit)) throw error
      results.push({ ...one, requeued: false, code: error.code, detail: error.message })
    }
  }
  const refused = results.filter((one) => !one.requeued)
  out.answer({ requeued: results.filter((one) => one.requeued).map((one) => one.id), refused }, () =>
    out.line(`${many(results.length - refused.length)} brought back.`),
  )
  if (refused.length > 0)
    throw new CliError(
      'refused',
      'some_refused',
      `${many(refused.length)} could not be brought back:${refused.map((one) => `\n  - ${one.id}: ${one.detail}`).join('')}`,
      'Look at each of them; the others are done.',
    )
}
