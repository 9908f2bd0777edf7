/** Reads one file of an installed package, and nothing else: the name comes from an agent, so it is judged by where it really leads. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import path from 'node:path'

export const maxFileBytes = 1024 * 1024

export type PackageFile =
  | { readonly read: true; readonly text: string; readonly sha256: string }
  | { readonly read: false; readonly problem: string }

const refused = (problem: string): PackageFile => ({ read: false, problem })

function isBelow(directory: string, candidate: string): boolean {
  return candidate.startsWith(directory + path.sep)
}

/**
 * Bytes of `file` (relative to `root`) when it is a regular file of at most 1 MiB that really lies inside `packagePath`, outside the
 * packages nested in it. Never throws for what the agent wrote: the problem is a sentence for it.
 */
export async function readPackageFile(root: string, packagePath: string, file: string): Promise<PackageFile> {
  const inner = file.startsWith(`${packagePath}/`) ? file.slice(packagePath.length + 1).split('/') : undefined
  if (inner === undefined || file.includes('\0') || file.includes('\\'))
    return refused(`must be a path inside ${packagePath}, such as ${packagePath}/LICENSE`)
  if (inner.some((step) => step === '' || step === '.' || step === '..' || step === 'node_modules'))
    return refused(`must name a file of the package itself, without '.', '..' or a nested node_modules`)
  try {
    const realRoot = await realpath(root)
    const home = await realpath(path.join(realRoot, packagePath))
    const real = await realpath(path.join(realRoot, file))
    if (!isBelow(path.join(realRoot, 'node_modules'), home) || !isBelow(home, real))
      return refused('leads out of the package by a symbolic link')
    // O_NONBLOCK: opening a named pipe would otherwise wait for a writer for ever.
    const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const stat = await handle.stat()
      if (!stat.isFile()) return refused('is not a regular file')
      if (stat.size > maxFileBytes) return refused(`has ${stat.size} bytes; the server reads at most ${maxFileBytes}`)
      const bytes = await handle.readFile()
      return { read: true, text: bytes.toString('utf8'), sha256: createHash('sha256').update(bytes).digest('hex') }
    } finally {
      await handle.close()
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return refused(code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : `cannot be read (${code ?? 'error'})`)
  }
}
