/** How a command ends: one exit code per kind of failure, one text for people, one object for programs. */
import { databaseFailure } from './database-failure.ts'

export const exitCodes = { done: 0, bug: 1, usage: 2, configuration: 3, permission: 4, refused: 5, conflict: 6, unreachable: 7, unfit: 8, interrupted: 130 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** A failure that is explained: what is wrong, and what to do. */
export class CliError extends Error {
  readonly exit: ExitCode
  readonly code: string
  readonly fix: string
  /** What a program should get beside code, detail and fix (the server's whole refusal, for example). */
  readonly members: Readonly<Record<string, unknown>>

  constructor(exit: keyof typeof exitCodes, code: string, detail: string, fix: string, options: { cause?: unknown; members?: Readonly<Record<string, unknown>> } = {}) {
    super(detail, { cause: options.cause })
    this.name = 'CliError'
    this.exit = exitCodes[exit]
    this.code = code
    this.fix = fix
    this.members = options.members ?? {}
  }
}

/** A wrong command line. */
export function usageError(detail: string, fix: string): CliError {
  return new CliError('usage', 'usage', detail, fix)
}

/** The exit code of a refusal, by its HTTP status. */
export function exitOfStatus(status: number): keyof typeof exitCodes {
  if (status === 401 || status === 403) return 'permission'
  if (status === 409 || status === 412) return 'conflict'
  if (status === 507) return 'unfit'
  if (status === 429 || status === 503 || status === 504) return 'unreachable'
  return status >= 500 ? 'bug' : 'refused'
}

interface Explained {
  readonly name?: string
  readonly code?: unknown
  readonly fix?: unknown
  readonly problems?: unknown
  readonly status?: unknown
  readonly message: string
  readonly details?: { readonly fix?: unknown }
}

/** Any thrown value as an explained failure; what nobody foresaw becomes a bug, with its stack. */
export function explain(thrown: unknown): CliError {
  if (thrown instanceof CliError) return thrown
  const error = (thrown instanceof Error ? thrown : new Error(String(thrown))) as Explained
  const fix = typeof error.fix === 'string' ? error.fix : ''
  const cause = { cause: thrown }
  switch (error.name) {
    case 'ConfigError':
      return new CliError('configuration', 'config_invalid', error.message, 'Correct what is listed; docs/config.md has every setting. Nothing was started.', { cause: thrown, members: { problems: error.problems } })
    case 'DefinitionError':
      return new CliError('configuration', 'order_types_invalid', error.message, 'Correct the files that are named, or leave their directory out of order_types.directories.', { cause: thrown, members: { problems: error.problems } })
    case 'EmbeddedStartError':
      return new CliError(error.code === 'network_filesystem' ? 'configuration' : 'unfit', String(error.code), error.message, fix, cause)
    case 'MigrationError':
      return new CliError('unfit', 'database_schema', error.message, fix, cause)
    case 'WorkError':
      return new CliError(exitOfStatus(Number(error.status)), String(error.code), error.message, typeof error.details?.fix === 'string' ? error.details.fix : fix, cause)
    case 'AbortError':
      return new CliError('interrupted', 'interrupted', 'Interrupted.', '', cause)
    default:
      return databaseFailure(thrown) ?? foreseen(error, fix, thrown) ?? new CliError('bug', 'bug', (thrown as Error | undefined)?.stack ?? String(thrown), 'This is a mistake in Work Manager; please report it with the text above.', cause)
  }
}

/** Errors of other rooms that explain themselves by carrying a `fix`: something about the place where we run is not as it must be. */
function foreseen(error: Explained, fix: string, cause: unknown): CliError | undefined {
  return fix === '' ? undefined : new CliError('unfit', typeof error.code === 'string' ? error.code : 'unfit', error.message, fix, { cause })
}
