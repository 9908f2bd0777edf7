// The address of an embedded database that another process of ours runs, for whoever may read its directory.

import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DATABASE, keepCredentials, RUNTIME_ROLE } from './credentials.ts'
import { connectionUrl } from './database.ts'
import { openHome } from './home.ts'
import { isMissing } from './start-error.ts'

/** The runtime login's address, or undefined when none runs there. Refuses with: not_permitted. */
export async function findRunningPostgres(directory: string): Promise<string | undefined> {
  let lines: string[]
  try {
    // PostgreSQL's own note: pid, directory, start, port, directory of the socket (may be empty), address.
    lines = (await readFile(join(resolve(directory), 'postgres', 'postmaster.pid'), 'utf8')).split('\n')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const [port, socketDirectory] = [Number(lines[3]), lines[4]?.trim()]
  if (!Number.isInteger(port) || port < 1) return undefined
  const { runtime } = await keepCredentials(await openHome(directory))
  return connectionUrl(RUNTIME_ROLE, runtime, DATABASE, { port, socketDirectory: socketDirectory || undefined })
}
