/**
 * Installs the packages that package-lock.json names when node_modules does not hold them.
 * Runs on Node 20, before anything is installed, so it imports nothing but Node itself.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { bundledNode, withoutLocalBins } from './node-binary.mjs'

/**
 * Why node_modules differs from package-lock.json, or undefined when it does not.
 * npm keeps its own record of what it installed and writes it last, so an interrupted install has none; a stamp of our own
 * would ask for a needless reinstall after every hand-typed `npm install`.
 */
function reasonToInstall(root) {
  const record = path.join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(record)) return 'node_modules is missing or incomplete'
  const wanted = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages
  for (const [where, entry] of Object.entries(wanted)) {
    if (where === '') continue
    const found = installed[where]
    if (found === undefined && !entry.optional) return `${where} is missing`
    if (found !== undefined && found.version !== entry.version) return `${where} has another version`
  }
  // A node_modules that came from another machine has the same record but not the binaries for this one.
  const node = bundledNode(root)
  const key = path.relative(root, node.packageDir).split(path.sep).join('/')
  if (wanted[key] !== undefined && !existsSync(node.file)) return `${key} is missing`
  return undefined
}

/** The npm that started us when there is one: it may be the only npm, and PATH may begin with the node_modules that npm ci deletes. */
function npmCommand() {
  const { npm_execpath: npmScript, npm_node_execpath: npmNode } = process.env
  if (npmScript && npmScript.endsWith('npm-cli.js') && existsSync(npmScript)) {
    return { file: npmNode && existsSync(npmNode) ? npmNode : process.execPath, args: [npmScript], shell: false }
  }
  return { file: 'npm', args: [], shell: process.platform === 'win32' }
}

/** npm says nothing for half a minute: how long it has taken and how many packages are there, now and then. Returns how to stop. */
function tellProgress(root, started) {
  const all = Object.keys(JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages).length - 1
  const { isTTY } = process.stderr
  const timer = setInterval(
    () => {
      const seconds = Math.round((Date.now() - started) / 1000)
      const there = existsSync(path.join(root, 'node_modules')) ? installedFolders(path.join(root, 'node_modules')) : 0
      const told = `${seconds} s, about ${Math.min(there, all)} of ${all} packages`
      process.stderr.write(isTTY ? `\r\u001b[KInstalling packages with npm ci ... ${told} ` : `${told} ... `)
    },
    isTTY ? 1000 : 5000,
  )
  return () => clearInterval(timer)
}

/** Packages that lie there by now; scopes are folders of packages. */
function installedFolders(modules) {
  try {
    return readdirSync(modules).reduce(
      (sum, name) => sum + (name.startsWith('@') ? readdirSync(path.join(modules, name)).length : name.startsWith('.') ? 0 : 1),
      0,
    )
  } catch {
    // npm moves folders about while we look.
    return 0
  }
}

/** Installs what is missing and says so in one line on stderr; returns false, with npm's own output shown, when npm could not. */
export async function installWhatIsMissing(root) {
  const reason = reasonToInstall(root)
  if (reason === undefined) return true

  process.stderr.write(`Installing packages with npm ci (${reason}) ... `)
  const started = Date.now()
  const stopTelling = tellProgress(root, started)
  const npm = npmCommand()
  // Development and optional packages hold the test runner and the bundled Node, whatever NODE_ENV or the user's npmrc leaves out.
  const args = [...npm.args, 'ci', '--include=dev', '--include=optional', '--loglevel=error']
  const { code, output } = await new Promise((resolve) => {
    const child = spawn(npm.file, args, {
      cwd: root,
      shell: npm.shell,
      env: withoutLocalBins(root, process.env),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    child.stdout.on('data', (chunk) => (text += chunk))
    child.stderr.on('data', (chunk) => (text += chunk))
    child.on('error', (error) => resolve({ code: 1, output: `${text}${error.message}\n` }))
    child.on('close', (status) => resolve({ code: status ?? 1, output: text }))
  })
  stopTelling()
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  if (code === 0) {
    process.stderr.write(`done in ${seconds} s\n`)
    return true
  }
  process.stderr.write(`failed after ${seconds} s\n\n${output.trimEnd()}\n\n`)
  process.stderr.write(
    'The packages could not be installed. Check that this machine reaches its npm registry (npm ping) and that you may write ' +
      'to this folder, then run the same command again; "npm ci" alone shows the same failure.\n',
  )
  return false
}
