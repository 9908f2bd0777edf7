// The private directory of the Unix socket. Socket paths end at 103 bytes and checkouts can lie deep, so it is a short random
// directory among the temporary files, new at each start and removed at stop.

import { once } from 'node:events'
import { chmod, chown, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Account } from './run-as.ts'
import { type Home, writeDurably } from './home.ts'
import type { Endpoint } from './settings.ts'
import { EmbeddedStartError } from './start-error.ts'

// With a socket, the port is only the last part of its file name.
const SOCKET_PORT = 5432
const LONGEST_SOCKET_PATH = 103
// Remembers where the directory is, for the start after one that was killed together with its watchdog.
const NOTE = 'socket-directory'

/** Where this run will listen: the socket in `privateDirectory`, or on Windows (no Unix sockets in `pg`) a free loopback port. */
export async function chooseEndpoint(privateDirectory: string): Promise<Endpoint> {
  if (process.platform !== 'win32') return { socketDirectory: privateDirectory, port: SOCKET_PORT }
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await new Promise((closed) => probe.close(closed))
  return { socketDirectory: undefined, port }
}

/** Makes the directory, 0700 and owned by the account of the server, and removes the one a killed start forgot. Refuses with: not_permitted. */
export async function makeSocketDirectory(home: Home, account: Account | undefined): Promise<string> {
  await removeForgotten(home)
  const directory = await makeShortDirectory(account)
  await writeDurably(home, NOTE, `${directory}\n`)
  return directory
}

async function removeForgotten(home: Home): Promise<void> {
  const forgotten = (await readFile(home.path(NOTE), 'utf8').catch(() => '')).trim()
  if (/^work-manager-\w{6}$/.test(basename(forgotten))) await removeSocketDirectory(forgotten)
}

async function makeShortDirectory(account: Account | undefined): Promise<string> {
  const tried: string[] = []
  for (const place of new Set([tmpdir(), '/tmp', '/var/tmp', '/run', '/dev/shm'])) {
    const longest = join(place, 'work-manager-XXXXXX', `.s.PGSQL.${SOCKET_PORT}.lock`)
    if (Buffer.byteLength(longest) > LONGEST_SOCKET_PATH) {
      tried.push(`${place} (too long a path)`)
      continue
    }
    if (account && !(await isPassable(place))) {
      tried.push(`${place} (closed to ${account.name})`)
      continue
    }
    try {
      const directory = await mkdtemp(join(place, 'work-manager-'))
      await chmod(directory, 0o700)
      if (account) await chown(directory, account.uid, account.gid)
      return directory
    } catch (error) {
      tried.push(`${place} (${(error as Error).message})`)
    }
  }
  throw new EmbeddedStartError(
    'not_permitted',
    `No place for the database's socket: ${tried.join(', ')}.`,
    'Set TMPDIR to a short, writable directory that every user can enter.',
  )
}

async function isPassable(place: string): Promise<boolean> {
  for (let path = place; path !== '/'; path = join(path, '..')) {
    const mode = await stat(path).then(
      (found) => found.mode,
      () => 0,
    )
    if ((mode & 0o001) === 0) return false
  }
  return true
}

export async function removeSocketDirectory(directory: string | undefined): Promise<void> {
  if (directory) await rm(directory, { recursive: true, force: true })
}
