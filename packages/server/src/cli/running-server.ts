/** The life of a server started from the command line: open, listen, do something meanwhile, stop in good order. */
import type { Config } from '../config/index.ts'
import type { WorkManager } from '../main.ts'
import type { Context, Flags } from './context.ts'
import { CliError, exitCodes } from './cli-error.ts'
import { explainListenFailure } from './listen-failure.ts'
import { announceServer } from './local-files.ts'
import { openWhenReachable } from './open-when-reachable.ts'
import { plainLog } from './plain-log.ts'
import { onStopSignal } from './stop-signals.ts'
import { primaryConnections } from './workers/connection-share.ts'
import { startWorkers, workerCount, type Workers } from './workers/primary.ts'

export interface RunningServer {
  readonly manager: WorkManager
  readonly config: Config
  readonly url: string
  /** Aborted when the server begins to stop. */
  readonly stopping: AbortSignal
}

/**
 * Runs a server until it is told to stop; `meanwhile` may end earlier. `quiet` shows warnings as plain lines instead of the log.
 * With several workers this process keeps the database and them, and serves nothing itself.
 * Refuses with: port_in_use, port_not_permitted, metrics_port_unusable, too_many_workers (exit 3), and whatever opening refuses with.
 */
export async function runServer(
  context: Context,
  flags: Flags,
  quiet: boolean,
  meanwhile: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const { config, origins } = await context.readConfig(flags)
  const { openWorkManager } = await import('../main.ts')
  const plainLogLevel = quiet ? (origins.has('server.log_level') ? config.server.log_level : 'warn') : null
  const options = plainLogLevel === null ? {} : { log: plainLog(context.out, plainLogLevel) }
  const many = workerCount(config) > 1
  const ownConfig = many ? primaryConfig(config) : config
  const say = (sentence: string) => context.out.note(sentence)
  const manager = await openWhenReachable(() => openWorkManager(ownConfig, options), say, context.interrupt.signal)
  if (context.interrupt.signal.aborted) {
    await manager.stop()
    throw new CliError('interrupted', 'interrupted', 'Interrupted while starting.', '')
  }
  const stopping = new AbortController()
  const ended = Promise.withResolvers<void>()
  // Whoever waits for it sees the failure; before anybody waits it must not end the process.
  ended.promise.catch(() => {})
  let stopped: Promise<void> | undefined
  let workers: Promise<Workers> | undefined
  const stopWorkers = async () => {
    // Workers that could not start have ended already.
    const running = await workers?.catch(() => undefined)
    await running?.stop()
  }
  const stop = () => (stopped ??= (stopping.abort(), stopWorkers().then(() => manager.stop())))
  const stopListening = onStopSignal(
    () => {
      context.out.note(`\nStopping: requests that run may finish (at most ${config.server.drain_seconds} s). Ctrl-C again stops at once.`)
      stop().then(ended.resolve, ended.reject)
    },
    () => {
      // Nothing acknowledged is lost: PostgreSQL replays its log at the next start.
      // Workers end by themselves when this process has.
      const now = manager.embedded?.stop('immediate') ?? Promise.resolve()
      now.finally(() => process.exit(exitCodes.interrupted)).catch(() => {})
    },
  )
  manager.embedded?.onExit((why) =>
    ended.reject(
      new CliError(
        'unfit',
        'database_stopped',
        `The embedded PostgreSQL ended and did not come back: ${why}.`,
        `Look into postgres.log in ${config.database.data_directory}, then start again.`,
      ),
    ),
  )
  try {
    if (many) workers = startWorkers({ config, manager, plainLogLevel, onGivingUp: ended.reject })
    const url = (await workers)?.url ?? (await listen(manager, config))
    const withdraw = await announceServer(config.database.data_directory, url).catch((error: NodeJS.ErrnoException) => {
      // With a database elsewhere the directory may be read-only: commands then need --url, the server does not need the file.
      context.out.note(
        `notice: the address could not be left in ${config.database.data_directory} (${error.code}); commands need --url ${url}.`,
      )
      return async () => {}
    })
    try {
      const during = meanwhile({ manager, config, url, stopping: stopping.signal }).catch((error: unknown) => {
        // What a stop cuts short is no failure of its own.
        if (!stopping.signal.aborted) throw error
      })
      await Promise.race([during, ended.promise])
      await ended.promise
    } finally {
      await withdraw()
    }
  } finally {
    await stop()
    stopListening()
  }
}

/** The primary answers no requests and leaves background work to its workers. */
const primaryConfig = (config: Config): Config => ({
  ...config,
  background: { ...config.background, enabled: false },
  database: { ...config.database, max_connections: primaryConnections },
})

async function listen(manager: WorkManager, config: Config): Promise<string> {
  try {
    return await manager.listen()
  } catch (cause) {
    throw await explainListenFailure(cause, config.server.host, config.server.port)
  }
}
