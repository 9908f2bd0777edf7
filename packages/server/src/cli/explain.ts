/** Whatever was thrown, as a failure that is explained. */
import { CliError, exitOfStatus, type exitCodes } from './cli-error.ts'
import { databaseFailure } from './database-failure.ts'
import { fileFailure } from './file-failure.ts'

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
      return new CliError(
        'configuration',
        'config_invalid',
        error.message,
        'Correct what is listed; docs/config.md has every setting. Nothing was started.',
        { cause: thrown, members: { problems: error.problems } },
      )
    case 'DefinitionError':
      return new CliError(
        'configuration',
        'order_types_invalid',
        error.message,
        'Correct the files that are named, or leave their directory out of order_types.directories.',
        { cause: thrown, members: { problems: error.problems } },
      )
    case 'EmbeddedStartError':
      return new CliError(error.code === 'network_filesystem' ? 'configuration' : 'unfit', String(error.code), error.message, fix, cause)
    case 'DemoError': {
      const exits: Record<string, keyof typeof exitCodes> = {
        unreachable: 'unreachable',
        not_work_manager: 'unreachable',
        key_unknown: 'permission',
      }
      return new CliError(exits[String(error.code)] ?? 'refused', String(error.code), error.message, fix, cause)
    }
    case 'UnfitDatabaseError': {
      const findings = (thrown as { findings: readonly { check: string }[] }).findings
      // A role with too much power is a matter of configuration; a server that is too old or unsafe is not.
      const exit = findings.every(({ check }) => check === 'runtime role') ? 'configuration' : 'unfit'
      return new CliError(
        exit,
        'database_unfit',
        error.message,
        'Do what is said beside each finding, then start again. `work-manager doctor` shows all of them.',
        { cause: thrown, members: { findings } },
      )
    }
    case 'UnfitRedisError':
      return new CliError('configuration', 'redis_unfit', error.message.replace(` ${fix}`, ''), fix, cause)
    case 'TracingStartError':
    case 'MissingPackageError':
      return new CliError(
        'configuration',
        'package_missing',
        error.message,
        'Do what it says, then start again. Nothing was started.',
        cause,
      )
    case 'MigrationError':
      return new CliError('unfit', 'database_schema', error.message, fix, cause)
    case 'LocksHeldError':
      return new CliError('unreachable', 'database_in_use', error.message, fix, {
        cause: thrown,
        members: { blockers: (thrown as { blockers: unknown }).blockers },
      })
    case 'WorkError':
      // At start and without a server there is more to say than what a caller may hear.
      return (
        databaseFailure(thrown) ??
        new CliError(
          exitOfStatus(Number(error.status)),
          String(error.code),
          error.message,
          typeof error.details?.fix === 'string' ? error.details.fix : fix,
          cause,
        )
      )
    case 'AbortError':
      return new CliError('interrupted', 'interrupted', 'Interrupted.', '', cause)
    default:
      return (
        databaseFailure(thrown) ??
        foreseen(error, fix, thrown) ??
        fileFailure(thrown) ??
        new CliError(
          'bug',
          'bug',
          (thrown as Error | undefined)?.stack ?? String(thrown),
          'This is a mistake in Work Manager; please report it with the text above.',
          cause,
        )
      )
  }
}

/** Errors of other rooms that explain themselves by carrying a `fix`: something about the place where we run is not as it must be. */
function foreseen(error: Explained, fix: string, cause: unknown): CliError | undefined {
  return fix === ''
    ? undefined
    : new CliError('unfit', typeof error.code === 'string' ? error.code : 'unfit', error.message, fix, { cause })
}
