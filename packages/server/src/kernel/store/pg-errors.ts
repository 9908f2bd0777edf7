/** PostgreSQL errors by SQLSTATE; by text only where node-postgres leaves nothing else (isConnectionError). */
import { WorkError } from '@work-manager/contract'

interface PgError {
  readonly code: string
}
const isPgError = (error: unknown): error is PgError => error instanceof Error && 'code' in error && typeof error.code === 'string'

/** Serialisation failure, deadlock, lock timeout: the whole of the work may be run again. */
export function isRetryable(error: unknown): boolean {
  return isPgError(error) && ['40001', '40P01', '55P03'].includes(error.code)
}

/** The connection or the server went away. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (isPgError(error)) {
    if (/^(08|57P0[1-5]$)/.test(error.code)) return true
    if (['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', '53300', '53400', '25P03', '57P03'].includes(error.code)) return true
  }
  // node-postgres gives these no code and no class of their own; its tests hold the texts fixed. An error of ours that quotes one is not one.
  return (
    error.constructor === Error &&
    /^(Connection terminated( unexpectedly)?$|timeout exceeded when trying to connect|Client (was closed|has encountered a connection error) and is not queryable$)/.test(
      error.message,
    )
  )
}

/** What the caller hears of a database error that is nobody's fault in particular; other errors come back unchanged. */
export function asWorkError(error: unknown, stage: 'before_commit' | 'commit'): unknown {
  if (error instanceof WorkError) return error
  if (isRetryable(error)) return new WorkError('busy', { retryAfterSeconds: 1 }, { cause: error })
  if (isConnectionError(error)) {
    const detail =
      stage === 'commit'
        ? 'The connection to the database broke while the change was being committed: it happened once or not at all.'
        : 'The database does not answer; nothing was saved.'
    return new WorkError('database_unavailable', { detail, retryAfterSeconds: 5 }, { cause: error })
  }
  if (isPgError(error) && error.code === '57014')
    return new WorkError('busy', { detail: 'The database took too long; nothing was saved.', retryAfterSeconds: 1 }, { cause: error })
  if (isPgError(error) && (error.code === '53100' || error.code === '25006'))
    return new WorkError('storage_low', { retryAfterSeconds: 30 }, { cause: error })
  return error
}
