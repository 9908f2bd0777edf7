// The directory people name (`./.work-manager`): what is ours in it, and when we refuse to touch it.
// A directory is ours when it holds our marker. Nothing in it is ever deleted that could be data: unfinished work is moved aside.

import { randomBytes } from 'node:crypto'
import { chmod, lchown, mkdir, open, readdir, readFile, realpath, rename, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { release } from 'node:os'
import { clearDataDirectory } from './processes.ts'
import { EmbeddedStartError, explainFileError, isMissing } from './start-error.ts'

/** The files of one embedded database. */
export interface Home {
  /** Real path: symbolic links resolved. */
  readonly directory: string
  readonly dataDir: string
  /** Who owns the directory; files that root writes for somebody else are handed to them. */
  readonly owner: { uid: number; gid: number }
  path(name: string): string
}

const MARKER = 'work-manager.json'
// What may lie in a directory whose first start has only just begun (or was killed before the marker was written).
// The last three are left by a server that ran on DATABASE_URL before.
const BEFORE_MARKER = new Set([
  'owner.lock',
  'owner.lock-journal',
  'owner.json',
  'owner.json.tmp',
  `${MARKER}.tmp`,
  '.DS_Store',
  'server-url',
  'reviewer.key',
  'demo-keys.json',
])

const NETWORK_FILE_SYSTEMS: Record<number, string> = {
  0x6969: 'NFS',
  0x517b: 'SMB',
  0xff534d42: 'SMB (CIFS)',
  0xfe534d42: 'SMB 2',
  0x5346414f: 'AFS',
}
const WSL_HOST_DRIVE = 0x01021997 // 9p. Elsewhere (sandboxed containers) 9p can be a sound local disk, so only WSL counts.
const SYNCED_FOLDERS = /^(Dropbox|OneDrive( - .*)?|Google Drive|iCloud Drive|Mobile Documents)$/

/**
 * Opens or creates the directory.
 * Refuses with: foreign_directory, not_a_directory, not_permitted, network_filesystem.
 */
export async function openHome(directory: string, options: { allowNetworkFilesystem?: boolean } = {}): Promise<Home> {
  const asked = resolve(directory)
  try {
    await mkdir(asked, { recursive: true, mode: 0o700 })
    const real = await realpath(asked)
    if (!options.allowNetworkFilesystem) await refuseNetworkFilesystem(real)
    await refuseForeign(real)
    const { uid, gid } = await stat(real)
    return { directory: real, dataDir: join(real, 'postgres'), owner: { uid, gid }, path: (name) => join(real, name) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new EmbeddedStartError(
        'not_a_directory',
        `${asked} exists and is not a directory.`,
        'Choose another directory, or move that file away.',
        { cause: error },
      )
    }
    throw explainFileError(error, asked)
  }
}

async function refuseNetworkFilesystem(directory: string): Promise<void> {
  const { type } = await statfs(directory)
  const wsl = type === WSL_HOST_DRIVE && release().toLowerCase().includes('microsoft')
  const kind = wsl ? 'a Windows drive seen from WSL' : NETWORK_FILE_SYSTEMS[type >>> 0]
  const synced = directory.split(sep).find((part) => SYNCED_FOLDERS.test(part))
  if (!kind && !synced) return
  throw new EmbeddedStartError(
    'network_filesystem',
    `${directory} is on ${kind ?? `a synced folder (${synced})`}: a database there can be damaged without anybody noticing.`,
    'Choose a directory on a local disk, or set DATABASE_URL to a PostgreSQL server.',
  )
}

async function refuseForeign(directory: string): Promise<void> {
  let names = await readdir(directory)
  const strangers = names.filter((name) => !BEFORE_MARKER.has(name))
  // Another first start may be filling the directory while it is read: the marker comes first, so a second look finds it.
  if (strangers.length > 0 && !names.includes(MARKER)) names = await readdir(directory)
  if (names.includes(MARKER)) {
    await readMarker(directory)
    return
  }
  if (strangers.length === 0) return
  throw new EmbeddedStartError(
    'foreign_directory',
    `${directory} is not empty and was not made by Work Manager (it holds ${strangers.slice(0, 3).join(', ')}${strangers.length > 3 ? ', …' : ''}). Nothing was touched.`,
    'Choose an empty or a new directory.',
  )
}

interface Marker {
  product: 'work-manager'
  format: 1
  clusterId: string
  createdAt: string
}

async function readMarker(directory: string): Promise<Marker> {
  const path = join(directory, MARKER)
  const text = await readFile(path, 'utf8')
  const marker = parseMarker(text)
  if (marker?.product !== 'work-manager') {
    throw new EmbeddedStartError(
      'foreign_directory',
      `${path} is not a Work Manager marker. Nothing was touched.`,
      'Choose another directory, or put the right file back.',
    )
  }
  if (marker.format !== 1) {
    throw new EmbeddedStartError(
      'wrong_version',
      `${path} has format ${String(marker.format)}; this program knows format 1. Nothing was touched.`,
      'Use the newer Work Manager that made it.',
    )
  }
  return marker
}

function parseMarker(text: string): Marker | undefined {
  try {
    return JSON.parse(text) as Marker
  } catch {
    return undefined
  }
}

/** Marks the directory as ours (first start) and gives its random cluster id. Call only as its owner. */
export async function markHome(home: Home): Promise<string> {
  try {
    return (await readMarker(home.directory)).clusterId
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const marker: Marker = {
    product: 'work-manager',
    format: 1,
    clusterId: randomBytes(6).toString('hex'),
    createdAt: new Date().toISOString(),
  }
  await writeDurably(home, MARKER, `${JSON.stringify(marker, null, 2)}\n`)
  return marker.clusterId
}

/** Closes the directory to other users. `passable` lets the account that runs PostgreSQL walk through it. */
export async function closeHome(home: Home, passable: boolean, log: (line: string) => void): Promise<void> {
  try {
    await chmod(home.directory, passable ? 0o711 : 0o700)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw explainFileError(error, home.directory)
    log(`warning: ${home.directory} belongs to somebody else, so it cannot be closed to other users (chmod 700 it).`)
  }
}

/** Moves the leavings of an unfinished first start aside, under a name that says so. What still works in them is stopped first. */
export async function moveUnfinishedAside(home: Home, log: (line: string) => void): Promise<void> {
  for (const name of await readdir(home.directory)) {
    const unfinished = name.startsWith('initialising-') || (name === basename(home.dataDir) && !(await hasVersionFile(home.dataDir)))
    if (!unfinished) continue
    await clearDataDirectory(home.path(name), log)
    const when = new Date().toISOString().replaceAll(/[:.]/g, '-')
    const aside = home.path(`postgres.partial-${when}${name.replace(/^(initialising|postgres)/, '')}`)
    await rename(home.path(name), aside)
    log(`an earlier first start did not finish; its files are kept in ${aside}`)
  }
}

/** The major version of the data, or undefined when there is none yet. */
export async function dataVersion(home: Home): Promise<string | undefined> {
  try {
    return (await readFile(join(home.dataDir, 'PG_VERSION'), 'utf8')).trim()
  } catch (error) {
    if (isMissing(error)) return undefined
    throw explainFileError(error, home.dataDir)
  }
}

async function hasVersionFile(dataDir: string): Promise<boolean> {
  return stat(join(dataDir, 'PG_VERSION')).then(
    () => true,
    () => false,
  )
}

/** Writes a private file that is either wholly there after a power cut, or not at all. */
export async function writeDurably(home: Home, name: string, text: string): Promise<void> {
  const path = home.path(name)
  const file = await open(`${path}.tmp`, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await giveToOwner(home, `${path}.tmp`)
  await rename(`${path}.tmp`, path)
  await syncDirectory(dirname(path))
}

/** Makes renames in a directory survive a power cut. Windows has no such call and needs none. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Root writes into other people's directories (containers): the files then belong to them, so that they can start it later too. */
export async function giveToOwner(home: Home, path: string): Promise<void> {
  if (process.getuid?.() === 0 && home.owner.uid !== 0) await lchown(path, home.owner.uid, home.owner.gid)
}
