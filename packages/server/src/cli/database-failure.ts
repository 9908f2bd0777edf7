/** Why a PostgreSQL server could not be used: one text per cause, each with the next step. Addresses are shown, passwords never. */
import { type ConnectionFault, connectionFault } from '../kernel/store/pg-errors.ts'
import { CliError } from './cli-error.ts'

interface Failure {
  readonly message: string
  readonly address?: string
  readonly port?: number
  readonly hostname?: string
}

type Told = readonly [detail: string, fix: string]

const whereOf = ({ address, port }: Failure): string | null => (address === undefined ? null : `${address}:${port ?? 5432}`)

const tell: Readonly<Record<ConnectionFault, (error: Failure) => Told>> = {
  unknown_host: ({ hostname = '' }) => [
    `The database host ${hostname} is not known.`,
    'Correct the host in DATABASE_URL, or check the name server.',
  ],
  refused: (error) => [
    `Nothing accepts connections at ${whereOf(error) ?? 'the database server'}.`,
    'Start PostgreSQL there, or correct host and port in DATABASE_URL.',
  ],
  not_permitted: ({ message }) => [
    `This user may not connect to the database server: ${message}.`,
    'Give this user the right to the socket and its folder, or connect by host and port; a firewall on this machine may forbid it, too.',
  ],
  silent: (error) => [
    `${whereOf(error) ?? 'The database server'} does not answer.`,
    'Check the network and firewall between here and the database, and that PostgreSQL itself is not stopped or overloaded.',
  ],
  broken: () => ['The connection to the database broke.', 'Try again; the log of PostgreSQL says whether it ended it, and why.'],
  starting: () => ['The database is starting up or shutting down.', 'Try again in a moment.'],
  full: () => ['The database has no connection left.', 'Lower database.max_connections, or raise max_connections in PostgreSQL.'],
  credentials: () => [
    'The database refused the user name or password of the connection string.',
    'Correct them in DATABASE_URL (or DATABASE_ADMIN_URL); pg_hba.conf decides who may connect from where.',
  ],
  no_database: () => [
    'The database named in the connection string does not exist.',
    'Create it (createdb …), or correct the name at the end of DATABASE_URL.',
  ],
  insecure: ({ message }) => [
    `No secure connection to the database: ${message}.`,
    'Set sslmode in DATABASE_URL (…?sslmode=require), or give the authority with sslrootcert.',
  ],
  pooler: ({ message }) => [
    `What stands in front of the database refuses: ${message.slice(0, 200)}.`,
    'Look at its log. PgBouncer needs pool_mode = transaction (or session), and user and database of DATABASE_URL in its configuration.',
  ],
}

/** Faults that pass by themselves; a wrong password does not. */
const passing: ReadonlySet<ConnectionFault> = new Set(['unknown_host', 'refused', 'silent', 'broken', 'starting', 'full'])

/** What the database said, below the refusal that callers of a running server hear. */
const causeOf = (thrown: unknown): unknown =>
  thrown instanceof Error && 'code' in thrown && thrown.code === 'database_unavailable' && thrown.cause !== undefined
    ? thrown.cause
    : thrown

/** The explanation of an error that says that the database cannot be spoken with, or undefined when it is something else. */
export function databaseFailure(thrown: unknown): CliError | undefined {
  const cause = causeOf(thrown)
  const fault = connectionFault(cause)
  if (fault === undefined) return undefined
  const [detail, fix] = tell[fault]((cause instanceof AggregateError ? cause.errors[0] : cause) as Failure)
  return new CliError('unreachable', 'database_unavailable', detail, fix, { cause: thrown })
}

/** Whether asking again in a moment may help. */
export function passesByItself(failure: CliError): boolean {
  const fault = connectionFault(causeOf(failure.cause))
  return fault !== undefined && passing.has(fault)
}
