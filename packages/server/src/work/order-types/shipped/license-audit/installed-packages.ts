/** Which packages are installed under a directory: what is really on disk, not what a lock file says. */
import { lstat, readdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import { readPackageFile } from './package-files.ts'

export interface InstalledPackage {
  readonly name: string
  readonly version: string
  /** Relative to the root, with forward slashes, such as `node_modules/@scope/name`. */
  readonly path: string
}

/** `node_modules` inside `node_modules` goes no deeper than this; real trees stay far below. */
const maxNesting = 12

/**
 * The absolute directory of a relative root inside `base`. Throws with a sentence for the proposer: absolute, leading out (also by a
 * symbolic link), or without `node_modules`.
 */
export async function auditRoot(base: string, root: string): Promise<string> {
  if (root === '' || path.isAbsolute(root) || /[\\\0]/.test(root) || root.split('/').includes('..'))
    throw new Error(`root '${root}' must be a relative path inside the server's working directory, without '..'`)
  const top = await realpath(base)
  const directory = await realpath(path.join(top, root)).catch(() => undefined)
  if (directory === undefined) throw new Error(`root '${root}' does not exist on the server`)
  if (!isInside(top, directory)) throw new Error(`root '${root}' leads out of the server's working directory`)
  const modules = await lstat(path.join(directory, 'node_modules')).catch(() => undefined)
  if (!modules?.isDirectory())
    throw new Error(`root '${root}' holds no node_modules directory; install the packages first, or name another root`)
  return directory
}

/** True for the directory itself and everything below it. Both must be real paths. */
export function isInside(directory: string, candidate: string): boolean {
  const relative = path.relative(directory, candidate)
  return relative === '' || (!path.isAbsolute(relative) && relative.split(path.sep)[0] !== '..')
}

async function packageDirectories(modules: string): Promise<string[]> {
  const entries = await readdir(modules, { withFileTypes: true }).catch(() => [])
  const found: string[] = []
  // isDirectory() is false for symbolic links: these are the workspace's own packages, not dependencies.
  for (const entry of entries) {
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue
    if (!entry.name.startsWith('@')) found.push(entry.name)
    else
      for (const inner of await readdir(path.join(modules, entry.name), { withFileTypes: true }))
        if (inner.isDirectory() && !inner.name.startsWith('.')) found.push(`${entry.name}/${inner.name}`)
  }
  return found.sort()
}

async function collect(root: string, modules: string, nesting: number, into: Map<string, InstalledPackage>): Promise<void> {
  if (nesting > maxNesting) return
  for (const name of await packageDirectories(path.join(root, modules))) {
    const at = `${modules}/${name}`
    const manifest = await readPackageFile(root, at, `${at}/package.json`)
    const about = manifest.read ? parseManifest(manifest.text) : undefined
    // A directory without a name and version is a cache or a leftover, not a package.
    if (about) {
      const key = `${about.name}@${about.version}`
      if (!into.has(key)) into.set(key, { ...about, path: at })
    }
    await collect(root, `${at}/node_modules`, nesting + 1, into)
  }
}

function parseManifest(text: string): { name: string; version: string } | undefined {
  try {
    const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown }
    return typeof name === 'string' && typeof version === 'string' && name !== '' && version !== '' ? { name, version } : undefined
  } catch {
    return undefined
  }
}

/** Every distinct name@version below `root`, nested ones included, in the order of their paths. */
export async function installedPackages(root: string): Promise<readonly InstalledPackage[]> {
  const found = new Map<string, InstalledPackage>()
  await collect(root, 'node_modules', 0, found)
  return [...found.values()]
}
