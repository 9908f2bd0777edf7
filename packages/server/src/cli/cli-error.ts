/** How a command ends: one exit code per kind of failure, one text for people, one object for programs. */
export const exitCodes = {
  done: 0,
  bug: 1,
  usage: 2,
  configuration: 3,
  permission: 4,
  refused: 5,
  conflict: 6,
  unreachable: 7,
  unfit: 8,
  damaged: 9,
  interrupted: 130,
} as const

/** What each exit code means; docs/cli.md says the same. */
export const exitMeanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  done: 'Done.',
  bug: 'A mistake in Work Manager or a failure inside the server.',
  usage: 'The command line is wrong.',
  configuration: 'The configuration is wrong.',
  permission: 'No key, or one that may not do this.',
  refused: 'The server refused, or what was asked for does not exist.',
  conflict: 'What was asked for does not fit the present state: look again.',
  unreachable: 'No server answers, or it is too busy: try again later.',
  unfit: 'The place where it runs is not fit: database, disk, health.',
  damaged: 'A ledger export does not verify.',
  interrupted: 'Ended by Ctrl-C.',
}
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** A failure that is explained: what is wrong, and what to do. */
export class CliError extends Error {
  readonly exit: ExitCode
  readonly code: string
  readonly fix: string
  /** What a program should get beside code, detail and fix (the server's whole refusal, for example). */
  readonly members: Readonly<Record<string, unknown>>

  constructor(
    exit: keyof typeof exitCodes,
    code: string,
    detail: string,
    fix: string,
    options: { cause?: unknown; members?: Readonly<Record<string, unknown>> } = {},
  ) {
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
