/** The commands against a real server that `work-manager serve` started: one order from proposal to applied change, typed by hand. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cleanEnvironment, cliProgram, type Ended, runCli } from '../../testing/run-cli.ts'

/** As an author writes them, in a directory that has none of these packages. */
const zodType = `import { z } from 'zod'
import { defineOrderType } from '@work-manager/server/order-type'
export default defineOrderType({
  type: 'test.zod',
  payload: z.object({ name: z.string() }),
  result: z.object({ text: z.string() }),
  apply: (ctx) => ctx.diff({}, {}, 'nothing'),
})
`
const greeting = `import Type from 'typebox'
import { defineOrderType } from '@work-manager/server/order-type'
export default defineOrderType({
  type: 'test.greeting',
  payload: Type.Object({ names: Type.Array(Type.String()) }),
  input: Type.Object({ name: Type.String() }),
  result: Type.Object({ text: Type.String() }),
  plan: ({ payload }) => payload.names.map((name) => ({ input: { name } })),
  apply: async (ctx) => {
    for (const item of ctx.items) await ctx.records.put('greetings', item.input.name, item.result)
    return ctx.diff({ greetings: 0 }, { greetings: ctx.items.length }, 'Greeted ' + ctx.items.length)
  },
})
`

let cwd: string
let server: ChildProcess
let log = ''
let errors = ''
let url = ''
const run = (...args: string[]): Promise<Ended> => runCli(args, { cwd })

async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await run(...args)
  expect({ code, stderr }).toMatchObject({ code: 0 })
  return JSON.parse(stdout) as T
}

async function call<T>(key: string, method: string, route: string, body?: unknown): Promise<T> {
  const response = await fetch(`${url}/api/work${route}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const answer = (await response.json()) as T
  expect(response.status, JSON.stringify(answer)).toBeLessThan(300)
  return answer
}

beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'wm-serve-'))
  await mkdir(path.join(cwd, 'types'))
  await writeFile(path.join(cwd, 'package.json'), '{"type":"module"}')
  await writeFile(path.join(cwd, 'types', 'greeting.ts'), greeting)
  await writeFile(path.join(cwd, 'types', 'zod.ts'), zodType)
  await writeFile(
    path.join(cwd, 'work-manager.config.json'),
    JSON.stringify({ server: { port: 0 }, order_types: { directories: ['types'], shipped: false } }),
  )
  server = spawn(process.execPath, [cliProgram, 'serve'], { cwd, env: cleanEnvironment, stdio: ['ignore', 'pipe', 'pipe'] })
  url = await new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      log += chunk.toString()
      const ready = /ready at (\S+)/.exec(log)
      if (ready) resolve(ready[1] as string)
    }
    server.stdout?.on('data', hear)
    server.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString()
      hear(chunk)
    })
    server.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${log}`)))
  })
})

afterAll(async () => {
  if (server.exitCode === null && server.signalCode === null) {
    const ended = new Promise((resolve) => server.on('exit', resolve))
    server.kill('SIGTERM')
    await ended
  }
  await rm(cwd, { recursive: true, force: true })
})

test('order types load outside the repository, where nothing is installed', async () => {
  const types = await json<Array<{ type: string }>>('types', 'list')
  expect(types.map(({ type }) => type).toSorted()).toEqual(['test.greeting', 'test.zod'])
})

interface Order {
  id: string
  state: string
  digest: string | null
}

/** Proposes an order and hands all of it in. */
async function submitted(names: string[]): Promise<string> {
  const proposer = await json<{ key: string }>('keys', 'create', '--kind', 'service', '--principal', 'proposer')
  const agent = await json<{ key: string }>('keys', 'create', '--kind', 'agent', '--principal', 'greeter-1')
  const { order } = await call<{ order: Order }>(proposer.key, 'POST', '/propose', { type: 'test.greeting', payload: { names } })
  for (const name of names) {
    const { item } = await call<{ item: { id: string; lease_token: string } }>(agent.key, 'POST', `/orders/${order.id}/checkout`, {})
    await call(agent.key, 'POST', `/items/${item.id}/submit`, { lease_token: item.lease_token, result: { text: `hello ${name}` } })
  }
  return order.id
}

test('the server leaves its address and a private key for the commands of its user', async () => {
  expect((await readFile(path.join(cwd, '.work-manager', 'server-url'), 'utf8')).trim()).toBe(url)
  if (process.platform !== 'win32') expect((await stat(path.join(cwd, '.work-manager', 'reviewer.key'))).mode & 0o777).toBe(0o600)
  expect(await json('orders')).toEqual([])
})

test('the tenant of a first start has nobody to be protected from', async () => {
  const { key } = await json<{ key: string }>('keys', 'create', '--kind', 'agent', '--principal', 'onlooker')
  expect(await call(key, 'GET', '/status')).toMatchObject({ rate_limit: { tier: 'enterprise', per_minute: 10_000 } })
})

test('an order is looked at, approved by its digest, and found applied', async () => {
  const id = await submitted(['ada', 'ben'])
  const order = await json<Order>('orders', 'show', id)
  expect(order).toMatchObject({ id, state: 'submitted' })
  expect(await json('items', id, '--state', 'submitted')).toHaveLength(2)

  const stale = await run('approve', id, '--yes', '--digest', `sha256:${'0'.repeat(64)}`)
  expect(stale.code).toBe(6)
  expect(stale.stderr).toContain('error[content_changed]')

  const approved = await json<{ order: Order; diff: { summary: string } }>('approve', id, '--yes', '--digest', order.digest as string)
  expect(approved).toMatchObject({ order: { state: 'completed' }, diff: { summary: 'Greeted 2' } })

  const again = await run('approve', id, '--yes')
  expect(again.code).toBe(6)
  expect(again.stderr).toContain('The order is completed')

  const { stdout } = await run('tail', '--order', id)
  const kinds = stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { kind: string }).kind)
  expect(kinds[0]).toBe('order.proposed')
  expect(kinds).toContain('order.approved')
  expect(kinds.at(-1)).toBe('order.completed')
})

test('an order is sent back with a reason', async () => {
  const id = await submitted(['cleo'])
  const { order } = await json<{ order: Order }>('reject', id, '--reason', 'Say good morning', '--rework')
  expect(order.state).toBe('queued')
  const [item] = await json<{ rework: unknown }[]>('items', id)
  expect(JSON.stringify(item?.rework)).toContain('Say good morning')
  expect(await json<Order[]>('orders', '--state', 'queued', '--type', 'test.greeting')).toMatchObject([{ id }])
})

test('an id that does not exist ends with 5, a foreign key with 4', async () => {
  expect((await run('orders', 'show', '01890a5d-ac96-774b-bcce-b302099a8057')).code).toBe(5)
  const foreign = await run('orders', '--key', `wm_p_22222222_${'x'.repeat(43)}`)
  expect(foreign.code).toBe(4)
  expect(foreign.stderr).toContain('key from --key')
})

test('another person gets an invitation, and takes the key by it once', async () => {
  const made = await json<{ key: null; invitation: string }>('keys', 'create', '--kind', 'person', '--principal', 'colleague')
  expect(made).toMatchObject({ key: null, invitation: expect.stringMatching(/^wm_i_/) })
  expect((await run('keys', 'list')).stdout).toContain('"invitation": true')
  const taken = await runCli(['keys', 'claim', made.invitation, '--json'], { cwd })
  expect(taken.code, taken.stderr).toBe(0)
  expect((await runCli(['orders', 'list', '--key', (JSON.parse(taken.stdout) as { key: string }).key], { cwd })).code).toBe(0)
  const late = await runCli(['keys', 'claim'], { cwd, env: { WORK_MANAGER_KEY: made.invitation } })
  expect(late.code).not.toBe(0)
  expect(late.stderr).toContain('redeemed')
})

test('keys are listed without secrets, rotated and revoked', async () => {
  const made = await json<{ id: string; key: string }>(
    'keys',
    'create',
    '--kind',
    'agent',
    '--principal',
    'short-lived',
    '--expires',
    '90d',
  )
  const listed = await run('keys', 'list')
  expect(listed.stdout).toContain(made.id)
  expect(listed.stdout).not.toContain(made.key)
  const next = await json<{ id: string; key: string }>('keys', 'rotate', made.id)
  expect(next.key).not.toBe(made.key)
  await json('keys', 'revoke', next.id)
  expect((await run('orders', '--key', next.key)).code).toBe(4)
})

test('the directory of a running server is not opened twice', async () => {
  const second = await run('serve')
  expect(second.code).toBe(8)
  expect(second.stderr).toContain('error[already_running]')
})

test('a taken port is named, with the next free one', async () => {
  const port = new URL(url).port
  const other = await mkdtemp(path.join(tmpdir(), 'wm-port-'))
  const taken = await run('serve', '--port', port, '--config', await emptyConfig(other))
  await rm(other, { recursive: true, force: true })
  expect(taken.code).toBe(3)
  expect(taken.stderr).toMatch(new RegExp(`Port ${port} .* is taken[^]*--port \\d+`))
})

async function emptyConfig(directory: string): Promise<string> {
  const file = path.join(directory, 'config.json')
  await writeFile(file, JSON.stringify({ database: { data_directory: 'data' } }))
  return file
}

test('pause --everything reaches the database of a running server past it', async () => {
  expect(await json('pause', '--everything', '--reason', 'stop all')).toMatchObject({ pause: { scope: 'everything' } })
  expect((await run('items', 'checkout')).stderr).toContain('stop all')
  expect((await json<{ pauses: unknown[] }>('pauses')).pauses).toHaveLength(1)
  expect(await json('resume', '--everything', '--reason', 'go on')).toEqual({ lifted: true })
})

test('doctor finds a running server healthy', async () => {
  const { ok, findings } = await json<{ ok: boolean; findings: object[] }>('doctor')
  expect(ok).toBe(true)
  // Advice stands beside what is wrong only.
  expect(findings.filter((finding) => 'fix' in finding)).toEqual([])
})

test('Ctrl-C stops it in good order', async () => {
  const ended = new Promise<number | null>((resolve) => server.on('exit', resolve))
  server.kill('SIGINT')
  expect(await ended).toBe(0)
  expect((await run('orders')).code).toBe(7)
})

test('on stderr a server says where it is and that it stops, and no library warns of anything', () => {
  expect(errors.split('\n').filter((line) => line !== '')).toEqual([
    `Work Manager is ready at ${url}`,
    expect.stringMatching(/^ {2}database {2}embedded PostgreSQL in /),
    '  stop      Ctrl-C',
    expect.stringMatching(/^Stopping: /),
  ])
})

test('without a server, everything is paused in the database itself', async () => {
  expect(await json('pause', '--everything', '--reason', 'stop all')).toMatchObject({ leases_ended: 0 })
  expect(await json('resume', '--everything', '--reason', 'go on')).toEqual({ lifted: true })
})

test('without a server, housekeeping and generators run in the database itself', async () => {
  expect(await json('maintain')).toEqual({ 'lease-reclaimer': 0, 'dead-letterer': 0, 'stale-order-alert': 0 })
  expect(await json('generate')).toEqual({ proposed: 0 })
})

test('dev reset asks, then deletes the database of the directory', async () => {
  expect((await run('dev', 'reset')).stderr).toContain('--force')
  expect(await json('dev', 'reset', '--force')).toEqual({ deleted: path.join(cwd, '.work-manager') })
  await expect(stat(path.join(cwd, '.work-manager'))).rejects.toThrow('ENOENT')
})
