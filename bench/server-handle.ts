/** Starts the server process, asks it for what only it knows (memory, processor time), and stops it. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Ready {
  readonly url: string
  readonly tenantId: string
  readonly agents: Array<{ readonly id: string; readonly key: string }>
  readonly proposer: string
  readonly runtimeUrl: string
  readonly adminUrl: string
  readonly heartbeatEverySeconds: number
  readonly idempotencyTtlSeconds: number
}
export interface Usage {
  readonly rssBytes: number
  readonly cpuMicros: number
}
export interface ServerHandle extends Ready {
  usage(): Promise<Usage>
  stop(): Promise<void>
}

/**
 * Keeps the resident memory of a busy server under 300 MB: V8 sizes its heap by the machine, and on a large one lets garbage pile up
 * (389 MB after 40,000 cycles without, 170 MB with; 10 % more processor time in the collector). Figures: bench/README.md.
 */
const memoryFlags = ['--max-semi-space-size=8', '--max-old-space-size=512']

const startWithinMs = 120_000

function nextMessage<T>(child: ChildProcess, name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer)
      child.off('message', onMessage)
      child.off('exit', onExit)
      settle()
    }
    const onMessage = (message: unknown): void => {
      const value = (message as Record<string, T>)[name]
      if (value !== undefined) end(() => resolve(value))
    }
    const onExit = (code: number | null): void =>
      end(() => reject(new Error(`The server process ended with code ${code}; its messages are above.`)))
    const timer = setTimeout(
      () => end(() => reject(new Error(`The server process did not say '${name}' within ${startWithinMs / 1000} s.`))),
      startWithinMs,
    )
    child.on('message', onMessage)
    child.on('exit', onExit)
  })
}

/** `nodeArguments` go to the server's Node, for example `--cpu-prof`. */
export async function startServerProcess(keyCount: number, nodeArguments: readonly string[]): Promise<ServerHandle> {
  const directory = await mkdtemp(path.join(tmpdir(), 'work-manager-bench-'))
  const child = fork(fileURLToPath(new URL('server-process.ts', import.meta.url)), [directory, String(keyCount)], {
    execArgv: [...memoryFlags, ...nodeArguments],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ready = await nextMessage<Ready>(child, 'ready').catch(async (error: unknown) => {
    child.kill()
    await rm(directory, { recursive: true, force: true })
    throw error
  })
  return {
    ...ready,
    async usage() {
      const answer = nextMessage<Usage>(child, 'usage')
      child.send('usage')
      return answer
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const exit = once(child, 'exit')
        child.kill('SIGTERM')
        await exit
      }
      await rm(directory, { recursive: true, force: true })
    },
  }
}
