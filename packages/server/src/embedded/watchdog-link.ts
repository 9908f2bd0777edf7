// Our end of the pipe to the watchdog process (watchdog.ts), which is started again if somebody ends it.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { cleanEnvironment } from './run-as.ts'

const SCRIPT = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './watchdog.ts' : './watchdog.js', import.meta.url))

/** Long enough that a watchdog that cannot run does not keep the machine busy; for that moment the next start would have to clear up. */
const RESTART_MS = 500

export class Watchdog {
  readonly #pids = new Set<number>()
  #directory: string | undefined
  #child: ChildProcess | undefined
  #closed = false

  constructor() {
    this.#start()
  }

  /** The watchdog's own pid. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** If we die, this process is stopped. */
  watch(pid: number): void {
    this.#pids.add(pid)
    this.#send({ watch: pid })
  }

  forget(pid: number): void {
    this.#pids.delete(pid)
    this.#send({ forget: pid })
  }

  /** If we die, this directory is removed (the socket's). */
  removeLater(directory: string): void {
    this.#directory = directory
    this.#send({ remove: directory })
  }

  /** Ends the watchdog without touching anything. */
  close(): void {
    this.#closed = true
    this.#send({ done: true })
    this.#child?.stdin?.end()
  }

  #start(): void {
    // Detached: a signal to our process group must not take the watchdog with us.
    const child = spawn(process.execPath, ['--max-old-space-size=32', '--disable-warning=ExperimentalWarning', SCRIPT], {
      cwd: '/',
      env: cleanEnvironment(),
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      windowsHide: true,
    })
    child.unref()
    child.on('error', () => {})
    child.stdin.on('error', () => {}) // it died; `exit` starts another
    child.on('exit', () =>
      setTimeout(() => {
        if (!this.#closed) this.#start()
      }, RESTART_MS).unref(),
    )
    this.#child = child
    if (this.#directory) this.#send({ remove: this.#directory })
    for (const pid of this.#pids) this.#send({ watch: pid })
  }

  #send(message: object): void {
    this.#child?.stdin?.write(`${JSON.stringify(message)}\n`)
  }
}
