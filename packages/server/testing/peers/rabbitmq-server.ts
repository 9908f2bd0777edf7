/**
 * A real RabbitMQ of a test's own: node name, directories and ports of its own, everything on the loopback; its queues survive a restart.
 * Starting takes some seconds: one per test file.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findProgram, freePort } from './redis-server.ts'

/** The distribution's own script; the one in PATH changes the user and the directories. */
const program = '/usr/lib/rabbitmq/bin/rabbitmq-server'

/** Whether tests that need RabbitMQ can run; in CI it must be there. */
export async function isRabbitInstalled(): Promise<boolean> {
  const found = await access(program).then(
    () => true,
    () => false,
  )
  if (!found && process.env.CI)
    throw new Error('rabbitmq-server is not installed, and CI may not skip the tests that need it (see .ci/run)')
  return found
}

export interface TestRabbit {
  /** As guest, who may come from the loopback. */
  readonly url: string
  start(): Promise<void>
  /** kill -9. */
  kill(): Promise<void>
  pause(): void
  resume(): void
  stop(): Promise<void>
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connectTcp(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** `settings`: lines of rabbitmq.conf, such as max_message_size. */
export async function startTestRabbit(settings: Record<string, string> = {}): Promise<TestRabbit> {
  const directory = await mkdtemp(path.join(tmpdir(), 'work-manager-rabbit-'))
  const [port, epmdPort, distributionPort] = await Promise.all([freePort(), freePort(), freePort()])
  await Promise.all(['mnesia', 'log'].map((name) => mkdir(path.join(directory, name))))
  const config = { 'listeners.tcp.1': `127.0.0.1:${port}`, 'log.console.level': 'error', 'log.file': 'false', ...settings }
  await writeFile(
    path.join(directory, 'rabbitmq.conf'),
    Object.entries(config)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(''),
  )
  // No plugins, and nothing of a configuration that the machine may have.
  await Promise.all(['enabled_plugins', 'advanced.config'].map((name) => writeFile(path.join(directory, name), '[].\n')))
  const env = {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: directory,
    RABBITMQ_NODENAME: `wm-${port}@localhost`,
    RABBITMQ_CONFIG_FILE: path.join(directory, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: path.join(directory, 'advanced.config'),
    RABBITMQ_CONF_ENV_FILE: path.join(directory, 'none'),
    RABBITMQ_ENABLED_PLUGINS_FILE: path.join(directory, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: path.join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: path.join(directory, 'log'),
    RABBITMQ_PID_FILE: path.join(directory, 'pid'),
    RABBITMQ_DIST_PORT: String(distributionPort),
    // Two schedulers: a machine of many cores would start a thread for each.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}',
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  }
  // The broker would start the port mapper as a daemon and leave it behind; it finds this one instead.
  const mapper = spawn((await findProgram('epmd'))!, ['-address', '127.0.0.1', '-port', String(epmdPort)], { stdio: 'ignore' })
  while (!(await takesConnections(epmdPort))) await new Promise((resolve) => setTimeout(resolve, 20))
  let child: ChildProcess | null = null

  async function start(): Promise<void> {
    // A group of its own: the script runs the emulator, which runs helpers.
    const mine = spawn(program, [], { env, cwd: directory, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    child = mine
    let said = ''
    for (const stream of [mine.stdout, mine.stderr]) stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-10_000)))
    for (let tries = 0; !(await takesConnections(port)); tries++) {
      if (mine.exitCode !== null || tries > 600) throw new Error(`rabbitmq-server did not start: ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const signal = (name: NodeJS.Signals) => {
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, name)
  }
  async function kill(): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    signal('SIGKILL')
    await gone
    // The script goes first, the broker a moment later.
    while (await takesConnections(port)) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await start()
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    start,
    kill,
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async stop() {
      await kill()
      mapper.kill('SIGKILL')
      await rm(directory, { recursive: true, force: true })
    },
  }
}
