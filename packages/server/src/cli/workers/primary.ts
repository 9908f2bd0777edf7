/**
 * The process that keeps several workers: starts them on one port, replaces those that die, passes their wake-ups on, and stops them.
 * It serves nothing itself. Connections are dealt out in turn (node:cluster), so one port and any number of workers look like one server.
 */
import cluster, { type Worker } from 'node:cluster'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Config } from '../../config/index.ts'
import type { WorkManager } from '../../main.ts'
import { CliError } from '../cli-error.ts'
import { anyFreePort, explainListenFailure } from '../listen-failure.ts'
import { connectionShare } from './connection-share.ts'
import type { Envelope, ToPrimary, ToWorker } from './messages.ts'
import { createRestartPolicy } from './restart-policy.ts'

export interface WorkersOptions {
  readonly config: Config
  /** The primary's own: the database is open and migrated, it does not listen and runs no background services. */
  readonly manager: WorkManager
  /** Set when people watch: the level of the plain log. */
  readonly plainLogLevel: string | null
  /** A worker cannot be kept alive; the caller should stop everything. */
  onGivingUp(why: CliError): void
}

export interface Workers {
  readonly url: string
  /** The processes that serve now. */
  pids(): number[]
  /** Lets running requests end, then the workers. Calling it again is harmless. */
  stop(): Promise<void>
  /** Ends them at once. */
  kill(): void
}

interface Slot {
  readonly number: number
  readonly policy: ReturnType<typeof createRestartPolicy>
  worker: Worker | null
  restart: NodeJS.Timeout | undefined
}

const entry = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url))
/** Beyond the time that requests get, for services and connections. */
const stopGraceMs = 10_000

/** How many worker processes the setting asks for. */
export function workerCount({ server }: Config): number {
  return server.workers === 'auto' ? availableParallelism() : server.workers
}

/**
 * Starts the workers and resolves when all of them serve.
 * Refuses with: too_many_workers, port_in_use, port_not_permitted, host_not_here (exit 3), worker_failed (exit 8).
 */
export async function startWorkers({ config, manager, plainLogLevel, onGivingUp }: WorkersOptions): Promise<Workers> {
  const { log } = manager.tools
  const count = workerCount(config)
  const { host } = config.server
  const port = config.server.port === 0 ? await anyFreePort(host) : config.server.port
  const databaseUrl = manager.embedded?.runtimeUrl ?? config.database.url
  const connections = await connectionShare(manager, count, config.database.max_connections)
  const workerConfig: Config = {
    ...config,
    server: { ...config.server, port, workers: 1 },
    // Without the owner's connection: the primary has migrated.
    database: { ...config.database, url: databaseUrl, admin_url: undefined, max_connections: connections },
  }
  const slots = Array.from({ length: count }, (_, n): Slot => ({
    number: n + 1,
    policy: createRestartPolicy(),
    worker: null,
    restart: undefined,
  }))
  let stopping: Promise<void> | null = null
  let started = false

  cluster.setupPrimary({ exec: entry, args: [], execArgv: process.execArgv, windowsHide: true })
  const tell = (worker: Worker, message: ToWorker) => {
    // A worker that is ending may have closed its side; what it would have heard no longer matters.
    if (worker.isConnected()) worker.send({ workManager: message } satisfies Envelope<ToWorker>, () => {})
  }
  const others = (than: Worker | null) => slots.flatMap(({ worker }) => (worker === null || worker === than ? [] : [worker]))
  manager.embedded?.onStorage((state) => others(null).forEach((worker) => tell(worker, { storage: state })))

  /** Starts the worker of a slot; resolves with its address when it serves, rejects when it ends before. */
  function launch(slot: Slot): Promise<string> {
    const worker = cluster.fork()
    slot.worker = worker
    const ready = Promise.withResolvers<string>()
    let servingSince: number | null = null
    let failure: ToPrimary['failed']
    worker.on('message', (message: Envelope<ToPrimary>) => {
      const said = message?.workManager
      if (said?.hello === true)
        tell(worker, { serve: { config: workerConfig, plainLogLevel, storage: manager.embedded?.storageState() ?? 'ok' } })
      if (said?.ready !== undefined) {
        servingSince = performance.now()
        ready.resolve(said.ready.url)
      }
      if (said?.failed !== undefined) failure = said.failed
      if (said?.wake !== undefined) for (const other of others(worker)) tell(other, { wake: said.wake })
    })
    worker.on('error', (error) => log.warn({ err: error }, `the channel to worker ${slot.number}`))
    worker.on('exit', (code, signal) => {
      slot.worker = null
      const why = failure?.message ?? (signal === null ? `exit code ${code}` : signal)
      const cause = Object.assign(new Error(why), failure ? { code: failure.code ?? undefined } : {})
      ready.reject(cause)
      if (stopping === null && started) replace(slot, why, servingSince === null ? 0 : performance.now() - servingSince)
    })
    return ready.promise
  }

  function replace(slot: Slot, why: string, servedMs: number): void {
    const pauseMs = slot.policy.died(servedMs)
    if (pauseMs === null) {
      onGivingUp(
        new CliError(
          'unfit',
          'worker_failed',
          `Worker ${slot.number} ended again and again, the last time by ${why}.`,
          'The log above has the reason; `--workers 1` shows it without the others. Nothing that was acknowledged is lost.',
        ),
      )
      return
    }
    log.warn({ worker: slot.number, pause_ms: pauseMs }, `worker ${slot.number} ended (${why}); another takes its place`)
    slot.restart = setTimeout(() => {
      // Its failure is handled where it ends.
      launch(slot).catch(() => {})
    }, pauseMs)
  }

  async function stopAll(): Promise<void> {
    for (const slot of slots) clearTimeout(slot.restart)
    const running = others(null)
    const gone = running.map((worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve())))
    for (const worker of running) tell(worker, { stop: true })
    const limit = setTimeout(kill, config.server.drain_seconds * 1000 + stopGraceMs)
    await Promise.all(gone)
    clearTimeout(limit)
  }
  function kill(): void {
    for (const slot of slots) clearTimeout(slot.restart)
    for (const worker of others(null)) worker.process.kill('SIGKILL')
  }
  const stop = () => (stopping ??= stopAll())

  try {
    const [url] = await Promise.all(slots.map(launch))
    started = true
    return { url: url!, pids: () => others(null).flatMap(({ process: { pid } }) => (pid === undefined ? [] : [pid])), stop, kill }
  } catch (error) {
    await stop()
    const explained = await explainListenFailure(error, host, port)
    if (explained instanceof CliError) throw explained
    throw new CliError(
      'unfit',
      'worker_failed',
      `A worker could not start: ${(error as Error).message}`,
      'The log above has the reason; `--workers 1` shows it without the others.',
      { cause: error },
    )
  }
}
