/** A process of the benchmark: started with `fork`, asked over its channel, ended by SIGTERM. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { flagsFor, usableMemory } from '../packages/server/bin/memory-flags.mjs'
import { processStat } from './processor-time.ts'

const answerWithinMs = 120_000

export interface Child {
  /** Resolves with the message of that name; sends `ask` first when given. */
  message<T>(name: string, ask?: unknown): Promise<T>
  /** User and system time so far; undefined where the system does not tell. */
  cpuMicros(): number | undefined
  stop(): Promise<void>
}

/** With the memory of `npm start`; `nodeArguments` come later and win. */
export function startChild(file: string, args: readonly string[], nodeArguments: readonly string[] = []): Child {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [...args], {
    execArgv: [...flagsFor(usableMemory()), ...nodeArguments],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  return {
    message(name, ask) {
      const answer = nextMessage<never>(child, name)
      if (ask !== undefined) child.send(ask as object)
      return answer
    },
    cpuMicros: () => processStat(child.pid!)?.micros,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      await exit
    },
  }
}

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
    const onExit = (code: number | null): void => end(() => reject(new Error(`A process ended with code ${code}; its messages are above.`)))
    const timer = setTimeout(
      () => end(() => reject(new Error(`A process did not say '${name}' within ${answerWithinMs / 1000} s.`))),
      answerWithinMs,
    )
    child.on('message', onMessage)
    child.on('exit', onExit)
  })
}
