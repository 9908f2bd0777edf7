/**
 * Which Node runs the project: the one that npm installed beside the other packages, else the one running now if it is new enough.
 * The source is TypeScript that Node runs directly, which needs 22.19.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'

const needed = { major: 22, minor: 19 }

/** Where the optional package with Node for this machine lies once it is installed. */
export function bundledNode(root) {
  const system = process.platform === 'win32' ? 'win' : process.platform
  const packageDir = path.join(root, 'node_modules', `node-${system}-${process.arch}`)
  return { packageDir, file: path.join(packageDir, 'bin', process.platform === 'win32' ? 'node.exe' : 'node') }
}

function isNewEnough(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  return major > needed.major || (major === needed.major && minor >= needed.minor)
}

/** The Node to use, or a sentence that says why there is none. */
export function findNode(root) {
  const { file } = bundledNode(root)
  if (existsSync(file)) {
    // Asked rather than assumed: a binary for another C library is present but cannot start.
    const answer = spawnSync(file, ['--version'], { encoding: 'utf8' })
    if (answer.status === 0 && isNewEnough(answer.stdout.trim())) return { file }
  }
  if (isNewEnough(process.version)) return { file: process.execPath }
  return {
    refusal:
      `Work Manager needs Node ${needed.major}.${needed.minor} or newer, found ${process.version.slice(1)}, and npm has no bundled Node for ` +
      `${process.platform}-${process.arch} that runs here: install a newer Node from https://nodejs.org and run the command again.`,
  }
}

// Windows spells the variable "Path", and a copy of process.env is case-sensitive.
function withPath(env, change) {
  const name = Object.keys(env).find((key) => key.toUpperCase() === 'PATH') ?? 'PATH'
  const folders = (env[name] ?? '').split(path.delimiter).filter((folder) => folder !== '')
  return { ...env, [name]: change(folders).join(path.delimiter) }
}

/** The environment with the chosen Node and the project's tools first on PATH. */
export function withLocalBins(root, node, env) {
  return withPath(env, (folders) => [path.dirname(node), path.join(root, 'node_modules', '.bin'), ...folders])
}

/** The environment without this project's node_modules on PATH: npm ci must not run on the Node that it is about to delete. */
export function withoutLocalBins(root, env) {
  const local = path.join(root, 'node_modules') + path.sep
  return withPath(env, (folders) => folders.filter((folder) => !(folder + path.sep).startsWith(local)))
}
