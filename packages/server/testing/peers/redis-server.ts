/** A real Redis server of a test's own, on a free port of the loopback, with nothing on disk. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createClient } from 'redis'
import type { RedisClient } from '../../src/redis/connection.ts'

/** Where the distribution's package puts a program; null when it is not installed. */
export async function findProgram(name: string): Promise<string | null> {
  for (const directory of [
    ...(process.env.PATH ?? '').split(path.delimiter),
    '/usr/bin',
    '/usr/sbin',
    '/usr/local/bin',
    '/usr/local/sbin',
  ]) {
    const file = path.join(directory, name)
    if (
      directory !== '' &&
      (await access(file).then(
        () => true,
        () => false,
      ))
    )
      return file
  }
  return null
}

/** Whether tests that need the program can run. In CI it must be there: a missing one fails the run instead of skipping tests. */
export async function isInstalled(name: string): Promise<boolean> {
  const found = (await findProgram(name)) !== null
  if (!found && process.env.CI) throw new Error(`${name} is not installed, and CI may not skip the tests that need it (see .ci/run)`)
  return found
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

export interface TestRedis {
  readonly url: string
  readonly port: number
  /** A plain client for looking at what is there. */
  readonly client: RedisClient
  /** kill -9; what it held is gone. */
  kill(): Promise<void>
  /** Starts again on the same port, empty. */
  start(): Promise<void>
  pause(): void
  resume(): void
  stop(): Promise<void>
}

export async function startTestRedis(settings: Record<string, string> = {}): Promise<TestRedis> {
  const program = await findProgram('redis-server')
  if (program === null) throw new Error('redis-server is not installed')
  const directory = await mkdtemp(path.join(tmpdir(), 'work-manager-redis-'))
  const port = await freePort()
  let child: ChildProcess | null = null
  const client = createClient({ url: `redis://127.0.0.1:${port}`, socket: { reconnectStrategy: 20 } })
  client.on('error', () => {})

  async function start(): Promise<void> {
    const options = { port: String(port), bind: '127.0.0.1', save: '', appendonly: 'no', dir: directory, ...settings }
    child = spawn(
      program!,
      Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const { stdout } = child
    await new Promise<void>((resolve, reject) => {
      let said = ''
      stdout!.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        if (said.includes('Ready to accept connections')) resolve()
      })
      child!.once('exit', (code) => reject(new Error(`redis-server ended (${code}): ${said}`)))
    })
  }
  async function kill(): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  await start()
  await client.connect()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    client,
    kill,
    start,
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async stop() {
      client.destroy()
      await kill()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
