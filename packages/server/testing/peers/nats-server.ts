/** A real NATS server with JetStream of a test's own, on a free port of the loopback; its streams survive a restart. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findProgram, freePort } from './redis-server.ts'

export interface TestNats {
  readonly url: string
  start(): Promise<void>
  kill(): Promise<void>
  pause(): void
  resume(): void
  stop(): Promise<void>
}

/** With `user`, it asks for that name and password. */
export async function startTestNats(options: { user?: string; password?: string; maxPayload?: number } = {}): Promise<TestNats> {
  const program = await findProgram('nats-server')
  if (program === null) throw new Error('nats-server is not installed')
  const directory = await mkdtemp(path.join(tmpdir(), 'work-manager-nats-'))
  const port = await freePort()
  const { user, password, maxPayload = 1_048_576 } = options
  const file = path.join(directory, 'nats.conf')
  const lines = [
    `listen: "127.0.0.1:${port}"`,
    `max_payload: ${maxPayload}`,
    `jetstream { store_dir: ${JSON.stringify(path.join(directory, 'store'))}, max_memory_store: 64M, max_file_store: 256M }`,
    ...(user === undefined ? [] : [`authorization { user: "${user}", password: "${password}" }`]),
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  let child: ChildProcess | null = null

  async function start(): Promise<void> {
    const mine = spawn(program!, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    child = mine
    await new Promise<void>((resolve, reject) => {
      let said = ''
      mine.stderr.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-10_000)
        if (said.includes('Server is ready')) resolve()
      })
      mine.once('exit', (code) => reject(new Error(`nats-server ended (${code}): ${said}`)))
    })
  }
  async function kill(): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  await start()
  return {
    url: user === undefined ? `nats://127.0.0.1:${port}` : `nats://${user}:${password}@127.0.0.1:${port}`,
    start,
    kill,
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async stop() {
      await kill()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
