// The embedded database: real PostgreSQL in a directory of the project, started by us, stopped with us, for one owner at a time.
//
//   home → ownership → account + binaries → credentials → initialise (first time) → postmaster → database → supervisor

import { candidateAccounts, handOver } from './account.ts'
import { prepareBinaries } from './binaries.ts'
import { keepCredentials } from './credentials.ts'
import { checkServer, ensureDatabase, isWrongPassword } from './database.ts'
import { CRITICAL_BYTES, DiskGuard, type StorageState } from './disk-guard.ts'
import { closeHome, dataVersion, type Home, markHome, moveUnfinishedAside, openHome } from './home.ts'
import { initialise } from './initialise.ts'
import { resetOwnerPassword } from './owner-password.ts'
import { type Ownership, takeOwnership } from './ownership.ts'
import { type Launch, Postmaster } from './postmaster.ts'
import { clearDataDirectory } from './processes.ts'
import { placeOf } from './run-as.ts'
import { ServerLog } from './server-log.ts'
import { serverSettings, writeAccessRules } from './settings.ts'
import { chooseEndpoint, makeSocketDirectory, removeSocketDirectory } from './socket-directory.ts'
import { EmbeddedStartError, explainFileError } from './start-error.ts'
import { Supervisor, type SupervisorParts } from './supervisor.ts'
import { Watchdog } from './watchdog-link.ts'

export { EmbeddedStartError } from './start-error.ts'

export interface EmbeddedPostgres {
  /** The owner's connection (superuser of this cluster): for migrations only. */
  readonly adminUrl: string
  /** The login role `work_manager_runtime`, neither owner nor superuser: for serving. */
  readonly runtimeUrl: string
  readonly dataDir: string
  /** The server's pid now; another one after a restart. */
  readonly pid: number
  /** 'low' warns; at 'read_only' the caller must refuse writes, and the server may be stopped until there is space again. */
  storageState(): StorageState
  onStorage(listener: (state: StorageState, freeBytes: number) => void): void
  /** The server died and starting it again did not help; everything is released. */
  onExit(listener: (why: string) => void): void
  /** Stops the server and gives the directory up. Calling it again is harmless; `immediate` also cuts a running fast stop short. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
}

export interface EmbeddedOptions {
  directory: string
  log?: ((line: string) => void) | undefined
  /** Run on NFS, SMB or a synced folder all the same. */
  allowNetworkFilesystem?: boolean | undefined
  /** For tests: what is free on the disk. */
  freeBytes?: (() => Promise<number>) | undefined
  checkEveryMs?: number | undefined
}

const CHECK_EVERY_MS = 5_000

/**
 * Starts the database in a directory, making it on the first start.
 * Refuses with: EmbeddedStartError (`already_running`, `foreign_directory`, `wrong_version`, `disk_full` …), whose `fix` says what to do.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const home = await openHome(options.directory, { allowNetworkFilesystem: options.allowNetworkFilesystem ?? false })
  const ownership = await takeOwnership(home)
  const watchdog = new Watchdog()
  const undo: (() => unknown)[] = [() => watchdog.close(), () => ownership.release()]
  try {
    return await startOwned(home, ownership, watchdog, options, undo)
  } catch (error) {
    for (const step of undo) await step()
    throw explainFileError(error, home.directory)
  }
}

async function startOwned(
  home: Home,
  ownership: Ownership,
  watchdog: Watchdog,
  options: EmbeddedOptions,
  undo: (() => unknown)[],
): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => {})
  const clusterId = await markHome(home)
  const binaries = await prepareBinaries(home, await candidateAccounts(home), log)
  const guard = new DiskGuard(home, { freeBytes: options.freeBytes, log })
  await refuseFullDisk(home, guard)
  // The account of the server walks through our directory only where it cannot be placed in it.
  await closeHome(home, binaries.account !== undefined && placeOf(home.dataDir, binaries.account).argument === home.dataDir, log)

  const privateDirectory = await makeSocketDirectory(home, binaries.account)
  undo.unshift(() => removeSocketDirectory(privateDirectory))
  watchdog.removeLater(privateDirectory)

  const credentials = await keepCredentials(home)
  await moveUnfinishedAside(home, log)
  const version = await dataVersion(home)
  if (version === undefined) {
    log(`making a new database in ${home.dataDir}`)
    await initialise(home, binaries, credentials, privateDirectory, watchdog)
  } else if (version !== binaries.major) {
    throw new EmbeddedStartError(
      'wrong_version',
      `The data in ${home.dataDir} were written by PostgreSQL ${version}; this program brings PostgreSQL ${binaries.major}. Nothing was touched.`,
      `Use the Work Manager release that brings PostgreSQL ${version}, or export from it and import here.`,
    )
  }
  if (binaries.account) await handOver(home.dataDir, binaries.account)
  await clearDataDirectory(home.dataDir, log)
  await writeAccessRules(home.dataDir, binaries.account)

  const endpoint = await chooseEndpoint(privateDirectory)
  const launch: Launch = { home, binaries, watchdog, serverLog: new ServerLog(home), settings: serverSettings(clusterId, endpoint) }
  const parts: SupervisorParts = {
    launch,
    credentials,
    endpoint,
    privateDirectory,
    guard,
    ownership,
    log,
    checkEveryMs: options.checkEveryMs ?? CHECK_EVERY_MS,
  }
  return new Supervisor(await startServer(parts, clusterId, version === undefined, undo), parts)
}

async function refuseFullDisk(home: Home, guard: DiskGuard): Promise<void> {
  const free = await guard.check()
  if (free >= CRITICAL_BYTES) return
  throw new EmbeddedStartError(
    'disk_full',
    `Only ${Math.round(free / 1024 / 1024)} MiB are free for ${home.directory}; with less than ${CRITICAL_BYTES / 1024 / 1024} MiB PostgreSQL can be brought down by a full disk.`,
    'Free some space on that disk and start again; nothing that was acknowledged is lost.',
  )
}

async function startServer(parts: SupervisorParts, clusterId: string, isNew: boolean, undo: (() => unknown)[]): Promise<Postmaster> {
  const { launch, credentials, endpoint, log } = parts
  const start = async () => {
    const started = await Postmaster.start(launch)
    undo.unshift(() => started.stop('fast'))
    return started
  }
  const postmaster = await start()
  if (!isNew && (await checkServer(credentials, endpoint, clusterId))) return postmaster
  try {
    await ensureDatabase(credentials, endpoint)
  } catch (error) {
    if (!isWrongPassword(error)) throw error
    log('the cluster does not know the stored password (credentials.json was lost or replaced): setting it anew')
    await postmaster.stop('fast')
    await resetOwnerPassword(launch.home, launch.binaries, credentials)
    const again = await start()
    await ensureDatabase(credentials, endpoint)
    return await checked(again, parts, clusterId)
  }
  return await checked(postmaster, parts, clusterId)
}

async function checked(postmaster: Postmaster, { credentials, endpoint }: SupervisorParts, clusterId: string): Promise<Postmaster> {
  if (await checkServer(credentials, endpoint, clusterId)) return postmaster
  throw new EmbeddedStartError(
    'unsafe_settings',
    'The serving role still cannot connect, or has too much power, after it was set up.',
    'Look into postgres.log, and for ALTER ROLE or other changes made by hand.',
  )
}
