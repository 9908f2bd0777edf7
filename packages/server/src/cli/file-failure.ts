/** Errors of the file system in the words of a person: which path, why, what to do. */
import { CliError } from './cli-error.ts'

const fileFailures: Readonly<Record<string, readonly [why: string, fix: string]>> = {
  EACCES: ['no permission', 'Give this user the right to it, or name another place.'],
  EPERM: ['not permitted', 'Give this user the right to it, or name another place.'],
  EROFS: ['the file system is read-only', 'Name a place on a file system that can be written to.'],
  ENOSPC: ['no space is left', 'Make room there, then run the command again.'],
  EDQUOT: ['the quota of this user is used up', 'Make room there, then run the command again.'],
  EISDIR: ['it is a directory', 'Name a file.'],
  ENOTDIR: ['a part of its path is a file', 'Name a place whose folders are folders.'],
  ENOENT: ['it does not exist', 'Look whether the path is right; HOME and the paths of the configuration count too.'],
  ENAMETOOLONG: ['the name is too long', 'Name a shorter path.'],
  ELOOP: ['its links lead in a circle', 'Correct the links.'],
  EMFILE: ['too many files are open', 'Raise the limit (ulimit -n), then run the command again.'],
  EIO: ['the disk reports an error', 'Look at the log of the system; the disk may be failing.'],
}

/** What the file system refused, wherever it was asked: one sentence with the path, never a stack. */
export function fileFailure(thrown: unknown): CliError | undefined {
  const { code, path, syscall } = (thrown ?? {}) as NodeJS.ErrnoException
  const [why, fix] = Object.hasOwn(fileFailures, code ?? '') ? fileFailures[code!]! : []
  if (why === undefined || fix === undefined || syscall === undefined || !(thrown instanceof Error)) return undefined
  const does =
    /^(open|read|scandir|stat|lstat|access|readlink|realpath)/.test(syscall) && !['EROFS', 'ENOSPC', 'EDQUOT'].includes(code!)
      ? 'used'
      : 'written'
  return new CliError('unfit', 'file_unusable', `${path ?? 'The output'} cannot be ${does}: ${why} (${code}).`, fix, { cause: thrown })
}
