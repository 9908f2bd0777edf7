// The one error class of the embedded database. A start either works or says why and what to do; it never rejects with nothing.

import { existsSync } from 'node:fs'

export type EmbeddedStartCode =
  | 'already_running'
  | 'foreign_directory'
  | 'not_a_directory'
  | 'not_permitted'
  | 'network_filesystem'
  | 'unsupported_platform'
  | 'no_unprivileged_account'
  | 'wrong_version'
  | 'disk_full'
  | 'initdb_failed'
  | 'postgres_failed'
  | 'start_timeout'
  | 'unsafe_settings'

/** Why the embedded PostgreSQL did not start (`message`), and what the person at the terminal can do about it (`fix`). */
export class EmbeddedStartError extends Error {
  readonly code: EmbeddedStartCode
  readonly fix: string

  constructor(code: EmbeddedStartCode, message: string, fix: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'EmbeddedStartError'
    this.code = code
    this.fix = fix
  }
}

/** Turns an operating-system error about our directory into a start error that names the path; other errors pass through. */
export function explainFileError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  const cause = { cause: error }
  if (code === 'EACCES' || code === 'EPERM') {
    if (!existsSync(path))
      return new EmbeddedStartError(
        'not_permitted',
        `No permission to make ${path} (${code}).`,
        'Start in a folder of your own, or name a place for the data: WORK_MANAGER_DATA_DIR=…; with DATABASE_URL none is needed.',
        cause,
      )
    return new EmbeddedStartError(
      'not_permitted',
      `No permission to use ${path} (${code}).`,
      `Make it yours (\`sudo chown -R "$(id -un)" '${path}'\`), start as its owner, or choose another directory.`,
      cause,
    )
  }
  if (code === 'EROFS') {
    return new EmbeddedStartError(
      'not_permitted',
      `${path} is on a read-only file system.`,
      'Choose a directory on a writable disk.',
      cause,
    )
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new EmbeddedStartError(
      'disk_full',
      `No space is left for ${path} (${code}).`,
      'Free some space on that disk and start again; nothing was lost.',
      cause,
    )
  }
  if (code === 'ENOTDIR' || code === 'ELOOP') {
    return new EmbeddedStartError(
      'not_a_directory',
      `${path} cannot be a directory: a part of the path is not one (${code}).`,
      'Choose another directory.',
      cause,
    )
  }
  return error
}

/** True for "there is no such file": the one file-system answer that is often good news here. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}
