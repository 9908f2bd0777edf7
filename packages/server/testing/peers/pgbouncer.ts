/** A real PgBouncer of a test's own in front of a database, on a free port of the loopback. */
import { once } from 'node:events'
import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { findProgram, freePort } from './redis-server.ts'

export interface TestPgBouncer {
  /** The same login and database through it. */
  url(of: string): string
  stop(): Promise<void>
}

export type PoolMode = 'session' | 'transaction' | 'statement'

const nobody = 65_534

/** `logins`: urls whose users it knows. Few connections to the server, so that they are really shared. */
export async function startTestPgBouncer(
  logins: readonly string[],
  options: { mode: PoolMode; poolSize?: number },
): Promise<TestPgBouncer> {
  const program = await findProgram('pgbouncer')
  if (program === null) throw new Error('pgbouncer is not installed')
  const directory = await mkdtemp(path.join(tmpdir(), 'work-manager-pgbouncer-'))
  const port = await freePort()
  const known = logins.map((url) => new pg.Client({ connectionString: url }))
  const { host, port: serverPort } = known[0]!
  const users = path.join(directory, 'users.txt')
  await writeFile(users, known.map(({ user, password }) => `"${user}" "${password ?? ''}"\n`).join(''))
  const file = path.join(directory, 'pgbouncer.ini')
  const lines = [
    '[databases]',
    `* = host=${host} port=${serverPort}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = trust',
    `auth_file = ${users}`,
    `pool_mode = ${options.mode}`,
    `default_pool_size = ${options.poolSize ?? 4}`,
    'max_client_conn = 200',
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  // It refuses to run as root. The directory of a socket may be its owner's alone.
  const isRoot = process.getuid?.() === 0
  if (isRoot) await Promise.all([chmod(directory, 0o755), chmod(users, 0o644), chmod(file, 0o644)])
  const owner = host.startsWith('/') ? await stat(host) : { uid: nobody, gid: nobody }
  const child: ChildProcess = spawn(program, [file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(isRoot && { uid: owner.uid, gid: owner.gid }),
  })
  await new Promise<void>((resolve, reject) => {
    let said = ''
    child.stderr!.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-10_000)
      if (said.includes('process up')) resolve()
    })
    child.once('exit', (code) => reject(new Error(`pgbouncer ended (${code}): ${said}`)))
  })
  return {
    url(of) {
      const { user, password, database } = new pg.Client({ connectionString: of })
      return `postgres://${encodeURIComponent(user ?? '')}:${encodeURIComponent(password ?? '')}@127.0.0.1:${port}/${database}`
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit')
        child.kill('SIGKILL')
        await gone
      }
      await rm(directory, { recursive: true, force: true })
    },
  }
}
