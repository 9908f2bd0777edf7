/** The command line as a user starts it: a process of its own, with none of our settings but those that the test gives. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const cliProgram = fileURLToPath(new URL('../bin/work-manager.mjs', import.meta.url))
const ours = /^(WORK_MANAGER_|DATABASE_|REDIS_|NODE_ENV$)/
/** The environment of the tests without what the product reads. */
export const cleanEnvironment: Readonly<Record<string, string | undefined>> = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !ours.test(name)),
)

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end. `env` is added to the clean environment; `started` gets the process while it runs. */
export function runCli(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; started?: (child: ChildProcess) => void } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [cliProgram, ...args], {
    cwd: options.cwd,
    env: { ...cleanEnvironment, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  options.started?.(child)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}
