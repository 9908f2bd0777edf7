/** `start`, `serve`, `migrate`, `demo`: what runs a server, or runs against one. */
import type { Command } from 'commander'
import type { Context, Flags } from '../context.ts'
import { CliError } from '../cli-error.ts'
import { explain } from '../explain.ts'
import { demoKeysFile } from '../local-files.ts'
import { ensureDemoKeys, ensureReviewerKey, readDemoKeys, type DemoKeys } from '../local-keys.ts'
import type { RunningServer } from '../running-server.ts'

interface Address {
  readonly host?: string
  readonly port?: string
  readonly workers?: string
}

export function addServing(program: Command, context: Context): void {
  withAddress(
    program
      .command('start')
      .summary('start a server and run the demo')
      .description('Start a server and let the demo do real work on it. The server stays until Ctrl-C.'),
  ).action((options: Address) => runStart(context, options))
  withAddress(
    program.command('serve').summary('start a server').description('Start a server. It stays until Ctrl-C; the log goes to stdout.'),
  ).action(async (options: Address) => {
    const { runServer } = await import('../running-server.ts')
    await runServer(context, flagsOf(options), false, async (server) => {
      if (server.manager.embedded !== null) await ensureReviewerKey(server)
      for (const line of await readyLines(server)) context.out.note(line)
    })
  })
  program
    .command('migrate')
    .summary('bring the database to this version')
    .description('Bring the database to the schema of this version. Doing it twice changes nothing.')
    .action(async () => {
      const config = await context.config()
      const { migrateDatabase } = await import('../../main.ts')
      const { applied } = await migrateDatabase(config, { say: (sentence) => context.out.note(sentence) })
      context.out.answer({ applied }, () =>
        context.out.line(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}.`),
      )
    })
  program
    .command('demo')
    .summary('run the demo against a running server')
    .description('Run the demo against a server that `work-manager start` has started on this machine.')
    .action(async () => {
      const { database, server } = await context.config()
      const keys = await readDemoKeys(database.data_directory)
      if (keys === undefined)
        throw new CliError(
          'permission',
          'auth_required',
          `The demo’s keys are not in ${demoKeysFile(database.data_directory)}.`,
          'Run `work-manager start` once: it makes them.',
        )
      await narrate(context, await context.url(), server.base_paths[0] as string, keys, context.interrupt.signal)
    })
}

function withAddress(command: Command): Command {
  return command
    .option('--port <port>', 'TCP port (WORK_MANAGER_PORT)')
    .option('--host <host>', 'address to listen on (WORK_MANAGER_HOST)')
    .option('--workers <n>', 'processes that answer requests, or auto: one per core (WORK_MANAGER_WORKERS)')
}

function flagsOf({ host, port, workers }: Address): Flags {
  return {
    ...(host === undefined ? {} : { 'server.host': { text: host, from: '--host' } }),
    ...(port === undefined ? {} : { 'server.port': { text: port, from: '--port' } }),
    ...(workers === undefined ? {} : { 'server.workers': { text: workers, from: '--workers' } }),
  }
}

/** What `npm start` does: serve, show the demo, then stay. A demo that fails is reported; the server stays up to be looked at. */
async function runStart(context: Context, options: Address): Promise<void> {
  context.out.line('Starting Work Manager …')
  const { runServer } = await import('../running-server.ts')
  await runServer(context, flagsOf(options), true, async (server) => {
    await ensureReviewerKey(server)
    const keys = await ensureDemoKeys(server)
    for (const line of await readyLines(server)) context.out.line(line)
    context.out.line()
    try {
      await narrate(context, server.url, server.config.server.base_paths[0] as string, keys, server.stopping)
    } catch (error) {
      if (server.stopping.aborted) throw error
      context.out.note('The demo ended early:')
      context.out.failure(explain(error), false)
    }
    if (!server.stopping.aborted) context.out.line(`\nThe server stays up at ${server.url} until Ctrl-C.`)
  })
}

async function narrate(context: Context, url: string, basePath: string, keys: DemoKeys, signal: AbortSignal): Promise<void> {
  const { out } = context
  const { runDemo } = await import('../demo/run-demo.ts')
  await runDemo({
    url,
    basePath,
    keys,
    out: (line) => out.line(line),
    root: context.cwd,
    isTty: out.isTerminal,
    color: out.paint.isColorSupported,
    signal,
  })
}

async function readyLines({ manager, config, url }: RunningServer): Promise<string[]> {
  const { workerCount } = await import('../workers/primary.ts')
  const database = manager.embedded === null ? 'PostgreSQL at DATABASE_URL' : `embedded PostgreSQL in ${config.database.data_directory}`
  const count = workerCount(config)
  return [
    `Work Manager is ready at ${url}`,
    `  database  ${database}`,
    ...(count > 1 ? [`  workers   ${count}`] : []),
    '  stop      Ctrl-C',
  ]
}
