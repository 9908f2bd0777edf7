/**
 * What statements run with: the role that owns nothing, and limits, so that a paused process loses its locks instead of keeping them.
 * A connection of our own is told once. Behind a pooler that lends connections by the transaction, whoever comes next would inherit
 * it, and whoever came before may have left something else: there each transaction brings it, and it ends with the transaction.
 */
import type { runtimeRoles } from './runtime-roles.ts'

export interface Session {
  readonly role: (typeof runtimeRoles)[number]
  readonly settings: Readonly<Record<string, string>>
}

/** After which the server itself gives a statement up. */
export const statementTimeoutMs = 5000

const everySession = {
  statement_timeout: String(statementTimeoutMs),
  lock_timeout: '2000',
  idle_in_transaction_session_timeout: '5000',
  synchronous_commit: 'on',
  timezone: 'UTC',
  jit: 'off',
}
/**
 * Hot statements are driven by a handful of ids through primary keys. Hash and merge joins against `unnest` look cheap to the planner
 * while tables are small and get worse with every row; the generic plan is pinned, so the wrong guess would stay for the connection's life.
 */
const hotPlanning = {
  plan_cache_mode: 'force_generic_plan',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_seqscan: 'off',
  enable_material: 'off',
  enable_sort: 'off',
}
export const appSession: Session = { role: 'wm_app', settings: everySession }
export const systemSession: Session = { role: 'wm_system', settings: everySession }
export const hotSession: Session = { role: 'wm_app', settings: { ...everySession, ...hotPlanning } }
export const windowSession: Session = { ...hotSession, role: 'wm_window' }

/**
 * Before version 17 an index gives no order for `id = any (…)` on its second column: with sorts off, the planner would rather read all rows
 * of the tenant in order than sort the ten it wants (20,000 pages per checkout at 20,000 items).
 */
const sortsWhereNeeded = "case when current_setting('server_version_num')::int < 170000 then 'on' else 'off' end"
const valueOf = (name: string, value: string): string => (name === 'enable_sort' ? sortsWhereNeeded : `'${value}'`)

/** The role first: what follows is set as the one who will use it. */
const calls = ({ role, settings }: Session, isLocal: boolean): string =>
  Object.entries({ role, ...settings })
    .map(([name, value]) => `set_config('${name}', ${valueOf(name, value)}, ${isLocal})`)
    .join(', ')

/** For the transaction that it is run in. */
export const setForTransaction = (session: Session): string => `select ${calls(session, true)}`

/** For the life of a connection that is surely our own. */
export const setForConnection = (session: Session): string => `select ${calls(session, false)}`

/**
 * The same, only if the server process at its end is the one that introduced itself as `processId`; a pooler introduces itself. Gives one
 * row when it was set, none behind a pooler.
 */
export const setUnlessLent = (session: Session, processId: number): string =>
  `${setForConnection(session)} where pg_backend_pid() = ${processId}`

/** Neither one statement nor silence between two may last longer, to the end of the transaction. */
export const limitsForTransaction = (ms: number): string =>
  `select set_config('idle_in_transaction_session_timeout', '${ms}', true), set_config('statement_timeout', '${ms}', true)`
