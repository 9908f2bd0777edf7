/** The program of the last release, unpacked beside this one: its own source, migrations and contract, on the packages installed here. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const modules = here('../../../../node_modules')

export interface PreviousServer {
  readonly url: string
  readonly keys: { readonly agent: string; readonly service: string }
  stop(): Promise<number | null>
}

/** As people write it: ours says what a session begins with, and that program says so itself. */
const asWritten = (url: string): string => url.replace(/[?&]options=[^&]*/, '')

export class PreviousProgram {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'wm-previous-'))
  private readonly env: NodeJS.ProcessEnv

  constructor(database: { readonly adminUrl: string; readonly runtimeUrl: string }) {
    const { status, stderr } = spawnSync('tar', ['-xzf', here('previous.tar.gz'), '-C', this.folder], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`previous.tar.gz could not be unpacked: ${stderr}`)
    writeFileSync(path.join(this.folder, 'package.json'), '{"type":"module","private":true}')
    const own = path.join(this.folder, 'node_modules')
    mkdirSync(path.join(own, '@work-manager'), { recursive: true })
    for (const name of readdirSync(modules))
      if (!name.startsWith('.') && name !== '@work-manager') symlinkSync(path.join(modules, name), path.join(own, name))
    for (const name of ['contract', 'server']) symlinkSync(path.join(this.folder, 'packages', name), path.join(own, '@work-manager', name))
    const env = Object.entries(process.env).filter(([name]) => !/^(WORK_MANAGER_|DATABASE_|REDIS_|NODE_OPTIONS|VITEST)/.test(name))
    this.env = { ...Object.fromEntries(env), ADMIN_URL: asWritten(database.adminUrl), RUNTIME_URL: asWritten(database.runtimeUrl) }
  }

  private start(command: string) {
    return spawn(process.execPath, [here('previous-main.mjs'), this.folder, command], { env: this.env, stdio: ['pipe', 'pipe', 'inherit'] })
  }

  async migrate(): Promise<void> {
    const child = this.start('migrate')
    const code = await new Promise((resolve) => child.on('close', resolve))
    if (code !== 0) throw new Error(`the previous program could not migrate (${String(code)})`)
  }

  async serve(): Promise<PreviousServer> {
    const child = this.start('serve')
    const closed = new Promise<number | null>((resolve) => child.on('close', resolve))
    const line = await Promise.race([
      new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve)),
      closed.then((code) => Promise.reject(new Error(`the previous server ended with ${code}`))),
    ])
    return {
      ...(JSON.parse(line) as Pick<PreviousServer, 'url' | 'keys'>),
      stop: () => {
        child.stdin.end()
        return closed
      },
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true })
  }
}
