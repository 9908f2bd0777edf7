/** The life of a server started from the command line: open, listen, do something meanwhile, stop in good order. */
import net from 'node:net'
import { pino, type Logger } from 'pino'
import type { Config } from '../../config/index.ts'
import type { WorkManager } from '../../main.ts'
import type { Context, Flags } from './context.ts'
import { CliError, exitCodes } from './cli-error.ts'
import { inertLine } from './inert-text.ts'
import { announceServer } from './local-files.ts'
import { openWhenReachable } from './open-when-reachable.ts'
import { onStopSignal } from './stop-signals.ts'

export interface RunningServer {
  readonly manager: WorkManager
  readonly config: Config
  readonly url: string
  /** Aborted when the server begins to stop. */
  readonly stopping: AbortSignal
}

/**
 * Runs a server until it is told to stop; `meanwhile` may end earlier. `quiet` shows warnings as plain lines instead of the log.
 * Refuses with: port_in_use, port_not_permitted (exit 3), and whatever opening refuses with.
 */
export async function runServer(
  context: Context,
  flags: Flags,
  quiet: boolean,
  meanwhile: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const { config, origins } = await context.readConfig(flags)
  const { openWorkManager } = await import('../../main.ts')
  const options = quiet ? { log: plainLog(context, origins.has('server.log_level') ? config.server.log_level : 'warn') } : {}
  const say = (sentence: string) => context.out.note(sentence)
  const manager = await openWhenReachable(() => openWorkManager(config, options), say, context.interrupt.signal)
  if (context.interrupt.signal.aborted) {
    await manager.stop()
    throw new CliError('interrupted', 'interrupted', 'Interrupted while starting.', '')
  }
  const stopping = new AbortController()
  const ended = Promise.withResolvers<void>()
  // Whoever waits for it sees the failure; before anybody waits it must not end the process.
  ended.promise.catch(() => {})
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= (stopping.abort(), manager.stop()))
  const stopListening = onStopSignal(
    () => {
      context.out.note(`\nStopping: requests that run may finish (at most ${config.server.drain_seconds} s). Ctrl-C again stops at once.`)
      stop().then(ended.resolve, ended.reject)
    },
    () => {
      // Nothing acknowledged is lost: PostgreSQL replays its log at the next start.
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
    const url = await listen(manager, config)
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

async function listen(manager: WorkManager, config: Config): Promise<string> {
  try {
    return await manager.listen()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const { host, port } = config.server
    if (code === 'EADDRINUSE') {
      const free = await nextFreePort(host, port)
      throw new CliError(
        'configuration',
        'port_in_use',
        `Port ${port} on ${host} is taken by another program.`,
        `Stop that program, or use another port: --port ${free} (or WORK_MANAGER_PORT=${free}).`,
        { cause },
      )
    }
    if (code === 'EACCES')
      throw new CliError(
        'configuration',
        'port_not_permitted',
        `Port ${port} may only be opened by a privileged user.`,
        'Use a port above 1023, such as --port 7420, and let a proxy listen on the low one.',
        { cause },
      )
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new CliError(
        'configuration',
        'host_not_here',
        `This machine has no address ${host}.`,
        'Set server.host to 127.0.0.1, to one of its addresses, or to 0.0.0.0 for all of them.',
        { cause },
      )
    throw cause
  }
}

async function nextFreePort(host: string, taken: number): Promise<number> {
  for (let port = taken + 1; port <= Math.min(taken + 50, 65535); port++) if (await isFree(host, port)) return port
  return 0
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}

/** The log for people who watch: one plain line per message on stderr. */
function plainLog(context: Context, level: string): Logger {
  const write = (record: string) => {
    const { msg, err } = JSON.parse(record) as { msg?: string; err?: { message?: string } }
    context.out.note(
      context.out.paint.dim(`server: ${inertLine([msg, err?.message].filter((part) => part !== undefined && part !== '').join(': '))}`),
    )
  }
  return pino({ level }, { write })
}
