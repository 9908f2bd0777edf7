// Which operating-system account runs PostgreSQL. PostgreSQL refuses to run as root, so root (containers, CI, small boards) gives
// the server another uid; everybody else runs it as themselves. No account is ever created.

import { chown, lchown, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from './home.ts'
import type { Account } from './run-as.ts'
import { EmbeddedStartError, isMissing } from './start-error.ts'

/**
 * The accounts that may run the server, best first; empty when we run it as ourselves.
 * An existing cluster keeps its owner. Then the owner of the directory (a mounted volume), then the account that
 * databases have, then the machine's powerless ones: what else runs as `nobody` could read our files.
 * Refuses with: not_permitted (the data belong to somebody else).
 */
export async function candidateAccounts(home: Home): Promise<Account[]> {
  const clusterOwner = await ownerOf(home.dataDir)
  const me = process.getuid?.()
  if (me === undefined) return []
  if (me !== 0) {
    if (clusterOwner && clusterOwner.uid !== me) {
      throw new EmbeddedStartError(
        'not_permitted',
        `The data in ${home.dataDir} belong to uid ${clusterOwner.uid}; this process is uid ${me}.`,
        `Start as that user (or as root), or hand the data over: sudo chown -R ${me} '${home.directory}'`,
      )
    }
    return []
  }
  const known = await knownAccounts()
  if (clusterOwner && clusterOwner.uid !== 0)
    return [{ ...clusterOwner, name: known.find((a) => a.uid === clusterOwner.uid)?.name ?? `uid ${clusterOwner.uid}` }]
  const byName = (name: string) => known.find((account) => account.name === name)
  return [known.find((account) => account.uid === home.owner.uid), byName('postgres'), byName('daemon'), byName('nobody')].filter(
    (account): account is Account => account !== undefined && account.uid !== 0,
  )
}

// initdb looks the uid up, so an account must have a name. Read directly: `getent` is missing from small images.
async function knownAccounts(): Promise<Account[]> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '')
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 4)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
}

async function ownerOf(path: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const { uid, gid } = await stat(path)
    return { uid, gid }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Hands a cluster that root restored from a backup (so root owns it) to the account that will run it. */
export async function handOver(dataDir: string, account: Account): Promise<void> {
  if ((await ownerOf(dataDir))?.uid !== 0) return
  for (const entry of await readdir(dataDir, { recursive: true })) await lchown(join(dataDir, entry), account.uid, account.gid)
  await chown(dataDir, account.uid, account.gid)
}
