// One process owns a directory. Ownership is an operating-system lock, so it vanishes with the process however it dies,
// and it is never taken by age: a process with a blocked event loop looks dead and is not.
//
// Node has no flock. SQLite, which is part of Node, takes fcntl/LockFileEx locks on Linux, macOS and Windows, and they also hold
// between containers that share a volume. What lost: a pid file (pids are reused), a listening socket file (two starters that
// both find it stale can both replace it), an advisory lock in our own PostgreSQL (only exists once the race to start it is over).
//
// Trap: closing *any* descriptor of `owner.lock` in this process would drop the lock. Never read that file; `owner.json` is for reading.

import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Home, giveToOwner, writeDurably } from './home.ts'
import { isAlive } from './processes.ts'
import { EmbeddedStartError, explainFileError } from './start-error.ts'

export interface Ownership {
  release(): void
}

const SQLITE_BUSY = 5

/** Takes the directory. Refuses with: already_running, not_permitted, disk_full. */
export async function takeOwnership(home: Home): Promise<Ownership> {
  const path = home.path('owner.lock')
  const database = openLockFile(path)
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    // The low byte is the kind; SQLite has finer codes of it (busy while another process makes the file).
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) throw await alreadyRunning(home)
    throw lockFailure(error, path)
  }
  try {
    await giveToOwner(home, path)
    await writeDurably(home, 'owner.json', `${JSON.stringify({ pid: process.pid, startedAt: new Date().toISOString() })}\n`)
  } catch (error) {
    database.close()
    throw explainFileError(error, home.directory)
  }
  return {
    release: () => {
      if (database.isOpen) database.close()
    },
  }
}

function openLockFile(path: string): InstanceType<typeof import('node:sqlite').DatabaseSync> {
  const sqlite = loadSqlite()
  if (!sqlite) {
    throw new EmbeddedStartError(
      'unsupported_platform',
      `This Node (${process.version}) was built without node:sqlite, which guards the directory.`,
      'Use Node 22.19 or newer from nodejs.org, or set DATABASE_URL to a PostgreSQL server.',
    )
  }
  try {
    return new sqlite.DatabaseSync(path, { timeout: 0 })
  } catch (error) {
    throw lockFailure(error, path)
  }
}

// Node 22 prints "SQLite is an experimental feature" to the person's terminal; we use one lock of it, so it is held back.
function loadSqlite(): typeof import('node:sqlite') | undefined {
  const emitWarning = process.emitWarning
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}

function lockFailure(error: unknown, path: string): EmbeddedStartError {
  return new EmbeddedStartError(
    'not_permitted',
    `The lock ${path} could not be taken: ${(error as Error).message}.`,
    'Check that the directory is writable by you and its disk is not full, or choose another directory.',
    { cause: error },
  )
}

async function alreadyRunning(home: Home): Promise<EmbeddedStartError> {
  const owner = await readOwner(home)
  const who = owner ? `by process ${owner.pid}, started ${owner.startedAt}` : 'by another process that is starting right now'
  return new EmbeddedStartError(
    'already_running',
    `${home.directory} is already in use ${who}.`,
    `Use the one that runs, stop it first${owner ? ` (kill ${owner.pid})` : ''}, or choose another directory.`,
  )
}

// The holder writes owner.json just after it got the lock; a file left by an earlier holder must not be quoted.
async function readOwner(home: Home): Promise<{ pid: number; startedAt: string } | undefined> {
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      const owner = JSON.parse(await readFile(home.path('owner.json'), 'utf8')) as { pid: number; startedAt: string }
      if (isAlive(owner.pid)) return owner
    } catch {
      /* not written yet */
    }
    await sleep(20)
  }
  return undefined
}
