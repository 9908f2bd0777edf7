/** PostgreSQL errors by SQLSTATE and code; by text only where node-postgres leaves nothing else (`texts`). */
import { WorkError } from '@work-manager/contract/errors'

interface PgError {
  readonly code: string
}
const isPgError = (error: unknown): error is PgError => error instanceof Error && 'code' in error && typeof error.code === 'string'

/** Serialisation failure, deadlock, lock timeout: the whole of the work may be run again. */
export function isRetryable(error: unknown): boolean {
  return isPgError(error) && ['40001', '40P01', '55P03'].includes(error.code)
}

/** Why a database could not be spoken with. The command line has a sentence for each; while the server runs, each is 503. */
export const connectionFaults = [
  'unknown_host',
  /** Nothing listens. */
  'refused',
  /** The system lets this user connect nowhere near it: a socket of somebody else's, a firewall on this machine. */
  'not_permitted',
  /** Accepts, or swallows, and does not answer. */
  'silent',
  /** Was there and is gone: the server ended, or its connection. */
  'broken',
  'starting',
  /** No connection left to give. */
  'full',
  'credentials',
  'no_database',
  'insecure',
  /** A pooler in between says no. */
  'pooler',
] as const
export type ConnectionFault = (typeof connectionFaults)[number]

const byCode: Readonly<Record<string, ConnectionFault>> = {
  ENOTFOUND: 'unknown_host',
  EAI_AGAIN: 'unknown_host',
  ECONNREFUSED: 'refused',
  ENOENT: 'refused',
  EACCES: 'not_permitted',
  EPERM: 'not_permitted',
  ETIMEDOUT: 'silent',
  EHOSTUNREACH: 'silent',
  EHOSTDOWN: 'silent',
  ENETUNREACH: 'silent',
  ENETDOWN: 'silent',
  ECONNRESET: 'broken',
  ECONNABORTED: 'broken',
  EPIPE: 'broken',
  '25P03': 'broken',
  '57P01': 'broken',
  '57P02': 'broken',
  '57P04': 'broken',
  '57P05': 'broken',
  '57P03': 'starting',
  '53300': 'full',
  '53400': 'full',
  '28000': 'credentials',
  '28P01': 'credentials',
  '3D000': 'no_database',
  '08P01': 'pooler',
}
// node-postgres gives these no code and no class of their own; its tests hold the texts fixed. An error of ours that quotes one is not one.
const texts: ReadonlyArray<readonly [RegExp, ConnectionFault]> = [
  [
    /^(timeout expired|timeout exceeded when trying to connect|Connection terminated due to connection timeout|Query read timeout)$/,
    'silent',
  ],
  [/^Connection terminated( unexpectedly)?$/, 'broken'],
  [/^Client (was closed|has encountered a connection error) and is not queryable$/, 'broken'],
  [/^(The server does not support SSL connections|There was an error establishing an SSL connection)$/, 'insecure'],
]

/** Undefined when the connection is not what failed. */
export function connectionFault(thrown: unknown): ConnectionFault | undefined {
  if (!(thrown instanceof Error)) return undefined
  // A name with several addresses fails with one error per address; the first speaks for all.
  const error: unknown = thrown instanceof AggregateError ? (thrown.errors[0] ?? thrown) : thrown
  if (isPgError(error)) {
    // A missing file is no missing socket, and one that may not be written no socket that may not be connected to.
    if (['ENOENT', 'EACCES', 'EPERM'].includes(error.code) && !('syscall' in error && error.syscall === 'connect')) return undefined
    return (
      byCode[error.code] ??
      (error.code.startsWith('08') ? 'broken' : /^(ERR_(TLS|SSL)_|CERT_|.*_CERT|UNABLE_TO_)/.test(error.code) ? 'insecure' : undefined)
    )
  }
  return error instanceof Error && error.constructor === Error ? texts.find(([text]) => text.test(error.message))?.[1] : undefined
}

/** The connection or the server went away, or cannot be had. */
export const isConnectionError = (error: unknown): boolean => connectionFault(error) !== undefined

const unavailable = (detail: string, cause: unknown): WorkError =>
  new WorkError('database_unavailable', { detail, retryAfterSeconds: 5 }, { cause })

/** What the caller hears when no connection could be had, for whatever reason: nothing was asked of the database yet. */
export const unreachable = (cause: unknown): WorkError => unavailable('The database cannot be reached; nothing was saved.', cause)

/** What the caller hears of a database error that is nobody's fault in particular; other errors come back unchanged. */
export function asWorkError(error: unknown, stage: 'before_commit' | 'commit'): unknown {
  if (error instanceof WorkError) return error
  if (isRetryable(error)) return new WorkError('busy', { retryAfterSeconds: 1 }, { cause: error })
  if (isConnectionError(error))
    return unavailable(
      stage === 'commit'
        ? 'The connection to the database broke while the change was being committed: it happened once or not at all.'
        : 'The database does not answer; nothing was saved.',
      error,
    )
  if (isPgError(error) && error.code === '57014')
    return new WorkError('busy', { detail: 'The database took too long; nothing was saved.', retryAfterSeconds: 1 }, { cause: error })
  if (isPgError(error) && (error.code === '53100' || error.code === '25006'))
    return new WorkError('storage_low', { retryAfterSeconds: 30 }, { cause: error })
  return error
}
