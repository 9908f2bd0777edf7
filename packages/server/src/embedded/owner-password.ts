// Teaches a stopped cluster the owner's password we have. Needed when credentials.json was lost, or when a cluster was put back from a
// copy. Single-user mode asks for no password: whoever may start the server on these files owns them anyway.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Binaries } from './binaries.ts'
import { type Credentials, OWNER_ROLE } from './credentials.ts'
import type { Home } from './home.ts'
import { cleanEnvironment, placeOf, runAs } from './run-as.ts'
import { EmbeddedStartError } from './start-error.ts'

/** Sets the owner's password. Call while the server is stopped. Refuses with: postgres_failed. */
export async function resetOwnerPassword(home: Home, binaries: Binaries, credentials: Credentials): Promise<void> {
  const place = placeOf(home.dataDir, binaries.account)
  const child = spawn(
    binaries.postgres,
    ['--single', '-D', place.argument, '-c', 'password_encryption=scram-sha-256', '-c', 'exit_on_error=on', 'postgres'],
    { ...runAs(binaries.account), cwd: place.cwd, env: cleanEnvironment(), stdio: ['pipe', 'ignore', 'pipe'], windowsHide: true },
  )
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8')
  })
  child.stdin.on('error', () => {}) // it ended early; its code says so
  child.stdin.end(`alter role ${OWNER_ROLE} login superuser password '${credentials.owner}'\n`)
  const [code] = await once(child, 'close').catch((error: unknown) => [(error as Error).message])
  if (code === 0 && !/ERROR|FATAL/.test(said)) return
  throw new EmbeddedStartError(
    'postgres_failed',
    `The cluster's owner password could not be set: ${said.trim().split('\n').slice(-5).join('\n')}`,
    `Put the credentials.json that belongs to ${home.dataDir} back beside it.`,
  )
}
