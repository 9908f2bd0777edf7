/** Why a PostgreSQL server could not be used: one text per cause, each with the next step. Addresses are shown, passwords never. */
import { CliError } from './cli-error.ts'

interface Failure {
  readonly code?: string
  readonly message?: string
  readonly address?: string
  readonly port?: number
  readonly hostname?: string
  readonly errors?: readonly Failure[]
}

const unreachable = (detail: string, fix: string, cause: unknown) =>
  new CliError('unreachable', 'database_unavailable', detail, fix, { cause })

/** The explanation of a connection error of `pg`, or undefined when it is something else. */
export function databaseFailure(thrown: unknown): CliError | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  const all = thrown as Failure
  // A name with several addresses fails with one error per address; the first speaks for all.
  const error = all.errors?.[0] ?? all
  const where = error.address === undefined ? 'the database server' : `${error.address}:${error.port ?? 5432}`
  switch (error.code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return unreachable(
        `The database host ${error.hostname ?? ''} is not known.`,
        'Correct the host in DATABASE_URL, or check the name server.',
        thrown,
      )
    case 'ECONNREFUSED':
    case 'ENOENT':
      return error.code === 'ENOENT' && !/connect/.test(error.message ?? '')
        ? undefined
        : unreachable(
            `Nothing accepts connections at ${where}.`,
            'Start PostgreSQL there, or correct host and port in DATABASE_URL.',
            thrown,
          )
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return unreachable(`${where} does not answer.`, 'Check the network and firewall between here and the database.', thrown)
    case '28P01':
    case '28000':
      return unreachable(
        'The database refused the user name or password of the connection string.',
        'Correct them in DATABASE_URL (or DATABASE_ADMIN_URL); pg_hba.conf decides who may connect from where.',
        thrown,
      )
    case '3D000':
      return unreachable(
        'The database named in the connection string does not exist.',
        'Create it (createdb …), or correct the name at the end of DATABASE_URL.',
        thrown,
      )
    case '57P03':
      return unreachable('The database is starting up or shutting down.', 'Try again in a moment.', thrown)
    case '53300':
      return unreachable(
        'The database has no connection left.',
        'Lower database.max_connections, or raise max_connections in PostgreSQL.',
        thrown,
      )
    default:
      return /SSL|TLS|certificate/i.test(error.message ?? '')
        ? unreachable(
            `No secure connection to the database: ${error.message}.`,
            'Set sslmode in DATABASE_URL (…?sslmode=require), or give the authority with sslrootcert.',
            thrown,
          )
        : undefined
  }
}
