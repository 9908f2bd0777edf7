/** The database that the configuration names, or the embedded one: brought up to date, judged, opened. */
import { type Logger, pino } from 'pino'
import type { Config } from '../config/index.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded/index.ts'
import { type Database, openDatabase } from '../kernel/store/database.ts'
import { migrate, type MigrationReport } from '../kernel/store/migrate.ts'
import { type Finding, inspectDatabase, isFatal } from '../kernel/store/preflight.ts'

/** The database is not fit to serve on; `findings` says why and what to do, all of it. */
export class UnfitDatabaseError extends Error {
  readonly findings: readonly Finding[]
  constructor(findings: readonly Finding[]) {
    super(`The database cannot be used:\n${findings.map((f) => `  - ${f.check}: ${f.detail}${f.fix ? `\n    ${f.fix}` : ''}`).join('\n')}`)
    this.name = 'UnfitDatabaseError'
    this.findings = findings
  }
}

/** What the database asks of this process: urls, and the embedded server when there is one. */
export async function provideDatabase(
  config: Config,
  log: Logger,
): Promise<{ runtimeUrl: string; adminUrl: string | undefined; embedded: EmbeddedPostgres | null }> {
  const { url, admin_url: adminUrl, data_directory: directory } = config.database
  if (url !== undefined) return { runtimeUrl: url, adminUrl, embedded: null }
  const embedded = await startEmbeddedPostgres({ directory, log: (line) => log.info({ component: 'embedded' }, line) })
  return { runtimeUrl: embedded.runtimeUrl, adminUrl: embedded.adminUrl, embedded }
}

/** Brings the configured database up to date and stops. */
export async function migrateDatabase(
  config: Config,
  options: { log?: Logger; say?: (sentence: string) => void } = {},
): Promise<MigrationReport> {
  const { runtimeUrl, adminUrl, embedded } = await provideDatabase(config, options.log ?? pino({ level: 'silent' }))
  try {
    return await migrate({
      adminUrl: adminUrl ?? runtimeUrl,
      runtimeUrl: adminUrl === undefined ? undefined : runtimeUrl,
      say: options.say,
    })
  } finally {
    await embedded?.stop()
  }
}

/** The pools on a database that was found fit. Refuses with: MigrationError, LocksHeldError, UnfitDatabaseError. */
export async function openFitDatabase(
  config: Config,
  urls: { readonly runtimeUrl: string; readonly adminUrl: string | undefined },
  log: Logger,
): Promise<Database> {
  const { runtimeUrl, adminUrl } = urls
  if (adminUrl !== undefined) await migrate({ adminUrl, runtimeUrl, say: (sentence) => log.warn(sentence) })
  const unfit = (await inspectDatabase(runtimeUrl)).filter(isFatal)
  if (unfit.length > 0) throw new UnfitDatabaseError(unfit)
  return openDatabase({
    url: runtimeUrl,
    maxConnections: config.database.max_connections,
    // The error object of the driver holds the whole client, secrets included: only its words are logged.
    onError: (error) => log.warn({ code: 'code' in error ? error.code : undefined }, `a database connection ended: ${error.message}`),
  })
}
