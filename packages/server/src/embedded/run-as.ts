// How children are started: as which uid, with which environment, and how the data directory is named to them.

import { accessSync, constants } from 'node:fs'

/** An operating-system account that can run the server in root's place. */
export interface Account {
  readonly uid: number
  readonly gid: number
  readonly name: string
}

/** The uid and gid of a child; nothing when it runs as ourselves. */
export function runAs(account: Account | undefined): { uid?: number; gid?: number } {
  return account ? { uid: account.uid, gid: account.gid } : {}
}

/**
 * The environment of every PostgreSQL program. Ours is not inherited: PGDATA, PGOPTIONS or LD_PRELOAD of the person's shell would change
 * what the server does, and secrets in our environment are not the server's business.
 */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = process.platform === 'win32' ? ['SystemRoot', 'SystemDrive', 'TEMP', 'TMP', 'Path'] : ['PATH', 'DYLD_LIBRARY_PATH']
  const entries = kept.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  })
  return { ...Object.fromEntries(entries), LC_ALL: 'C', TZ: 'UTC' }
}

/**
 * How a PostgreSQL program is told its data directory. When it runs under another uid it may not be able to walk there (a checkout in
 * /root, which is 0700). Node changes into the directory *before* it gives up root, and `/proc/self/cwd` leads back to it without
 * walking. What lost: opening up the parents' permissions (not ours to change), keeping the data somewhere else (not where people asked),
 * bind mounts (need more than root in a container).
 */
export function placeOf(dataDir: string, account: Account | undefined): { cwd: string; argument: string } {
  return { cwd: dataDir, argument: account && hasProc() ? '/proc/self/cwd' : dataDir }
}

/** True where /proc exists, which is how we can be sure what another process is. */
export function hasProc(): boolean {
  try {
    accessSync('/proc/self/cwd', constants.F_OK)
    return true
  } catch {
    return false
  }
}
