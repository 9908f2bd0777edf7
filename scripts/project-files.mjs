/** The files that belong to the project: everything but what .gitignore names. Needs no git, so that it works in an unpacked archive. */
import { readdirSync } from 'node:fs'
import path from 'node:path'

const ignored = new Set(['.git', 'node_modules', '.work-manager', 'dist', 'coverage'])

/** Paths relative to the root, with `/` between folders. */
export function projectFiles(root, folder = '') {
  const files = []
  for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`
    // `.git` is a file where several working copies share one repository.
    if (ignored.has(entry.name)) continue
    if (entry.isDirectory()) {
      files.push(...projectFiles(root, name))
    } else if (entry.isFile() && !entry.name.endsWith('.log')) {
      files.push(name)
    }
  }
  return files
}
