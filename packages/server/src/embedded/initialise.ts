// The first start: a new cluster is made under a temporary name and takes its real name only when it is complete and on disk, so a
// kill at any moment leaves either nothing or a whole cluster.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Binaries } from './binaries.ts'
import { type Credentials, OWNER_ROLE } from './credentials.ts'
import { type Home, syncDirectory } from './home.ts'
import { cleanEnvironment, placeOf, runAs } from './run-as.ts'
import { EmbeddedStartError } from './start-error.ts'
import type { Watchdog } from './watchdog-link.ts'

/** Makes the cluster. Refuses with: initdb_failed, disk_full. */
export async function initialise(
  home: Home,
  binaries: Binaries,
  credentials: Credentials,
  privateDirectory: string,
  watchdog: Watchdog,
): Promise<void> {
  const { account } = binaries
  const unfinished = home.path(`initialising-${randomBytes(4).toString('hex')}`)
  await mkdir(unfinished, { mode: 0o700 })
  if (account) await chown(unfinished, account.uid, account.gid)
  const passwordFile = join(privateDirectory, 'password')
  await writeFile(passwordFile, `${credentials.owner}\n`, { mode: 0o600 })
  if (account) await chown(passwordFile, account.uid, account.gid)
  try {
    await runInitdb(unfinished, passwordFile, binaries, watchdog)
  } finally {
    await rm(passwordFile)
  }
  await rename(unfinished, home.dataDir)
  await syncDirectory(home.directory)
}

async function runInitdb(directory: string, passwordFile: string, binaries: Binaries, watchdog: Watchdog): Promise<void> {
  const place = placeOf(directory, binaries.account)
  const child = spawn(
    binaries.initdb,
    [
      '-D',
      place.argument,
      '--username',
      OWNER_ROLE,
      '--pwfile',
      passwordFile,
      '--auth',
      'scram-sha-256',
      '--data-checksums',
      '--no-instructions',
      // Sorting that is the same on every machine and in every version of its libraries.
      '--encoding',
      'UTF8',
      '--no-locale',
      '--locale-provider',
      'builtin',
      '--builtin-locale',
      'C.UTF-8',
    ],
    {
      ...runAs(binaries.account),
      cwd: place.cwd,
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      windowsHide: true,
    },
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-8000)
    })
  if (child.pid) watchdog.watch(child.pid)
  const [code] = await once(child, 'close').catch((error: unknown) => [(error as Error).message])
  if (child.pid) watchdog.forget(child.pid)
  if (code === 0) return
  throw initdbFailure(said, code)
}

function initdbFailure(said: string, code: unknown): EmbeddedStartError {
  if (/No space left|Disk quota exceeded/.test(said)) {
    return new EmbeddedStartError(
      'disk_full',
      `A new database needs about 60 MB and the disk is full: ${lastLines(said)}`,
      'Free some space and start again.',
    )
  }
  if (said.includes('could not look up effective user ID')) {
    return new EmbeddedStartError(
      'no_unprivileged_account',
      `PostgreSQL needs its user to have a name, and uid ${process.getuid?.()} has none in /etc/passwd.`,
      'Run the container as root (the database then runs as another user by itself) or as a user the image knows; or set DATABASE_URL.',
    )
  }
  return new EmbeddedStartError(
    'initdb_failed',
    `The database could not be made (initdb ended with ${String(code)}): ${lastLines(said)}`,
    'Read the lines above; the unfinished files were left beside it and are moved aside at the next start.',
  )
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-8).join('\n')
}
