/** The program as people start it: exit codes, stdout and stderr of a real process. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { cliProgram, type Ended, runCli } from '../../testing/run-cli.ts'

let cwd: string
const servers: Server[] = []

beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'wm-cli-'))
})
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
})
afterAll(() => rm(cwd, { recursive: true, force: true }))

const run = (args: string[], options: { env?: Record<string, string>; reader?: (child: ChildProcess) => void } = {}): Promise<Ended> =>
  runCli(args, { cwd, ...(options.env ? { env: options.env } : {}), ...(options.reader ? { started: options.reader } : {}) })

/** A server of somebody else's, to see how the program takes its answers. */
async function foreignServer(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('usage', () => {
  test('alone, it greets with the three first commands', async () => {
    const { code, stdout } = await run([])
    expect(code).toBe(0)
    // Outside a project and not on the path: by Node and our file.
    for (const command of ['start', 'orders', 'approve'])
      expect(stdout).toMatch(new RegExp(`node\\S* \\S+work-manager\\.mjs ${command}\\b`))
  })

  test('help names every command', async () => {
    const { code, stdout } = await run(['--help'])
    expect(code).toBe(0)
    for (const command of [
      'start',
      'serve',
      'migrate',
      'demo',
      'keys',
      'generate',
      'maintain',
      'approve',
      'reject',
      'orders',
      'items',
      'tail',
      'config',
      'doctor',
    ])
      expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'))
  })

  test.each([
    [['ordrs'], 'did you mean orders?'],
    [['orders', 'shw', 'x'], 'did you mean show?'],
    [['config', 'chek'], 'did you mean check?'],
    [['orders', 'list', '--stat', 'queued'], 'did you mean --state?'],
    [['orders', '--limit', '0'], 'from 1 to 1000'],
    [['approve'], 'usage: work-manager approve [options] <order>; example: '],
    [['approve', '01890a5d-ac96-774b-bcce-b302099a8057'], '--yes --digest'],
    [['reject', 'x'], '--reason'],
    [['reject', 'x', '--reason', ' '], 'The reason is empty'],
    [['keys', 'create', '--kind', 'robot', '--principal', 'x'], 'agent, person, service'],
    [['keys', 'create', '--kind', 'agent', '--principal', 'x', '--ability', 'work:aprove'], 'Did you mean work:approve?'],
    [['keys', 'create', '--kind', 'agent', '--principal', 'x', '--expires', 'tomorrow'], '2027-01-31'],
    [['orders', '--url', 'localhost:7420', '--key', 'wm_x'], 'Write the scheme too'],
  ])('%j ends with 2 and teaches', async (args, advice) => {
    const { code, stdout, stderr } = await run(args)
    expect(stderr).toContain(advice)
    expect(stderr).toMatch(/^error\[usage\]: .+\n {2}fix: /)
    expect(stdout).toBe('')
    expect(code).toBe(2)
  })

  test('with --json a failure is one JSON object on stderr', async () => {
    const { code, stderr } = await run(['ordrs', '--json'])
    expect(code).toBe(2)
    expect(JSON.parse(stderr)).toMatchObject({
      code: 'usage',
      exit: 2,
      detail: expect.stringContaining('orders'),
      fix: expect.any(String) as string,
    })
  })
})

describe('configuration', () => {
  test('config check shows values and where they come from, never a password', async () => {
    const { code, stdout } = await run(['config', 'check'], {
      env: { WORK_MANAGER_LEASE_TTL: '300', DATABASE_URL: 'postgres://u:s3cret@db/work' },
    })
    expect(code).toBe(0)
    const { settings } = JSON.parse(stdout) as { settings: Record<string, Record<string, { value: unknown; from: string }>> }
    expect(settings.lease?.ttl_seconds).toEqual({ value: 300, from: 'WORK_MANAGER_LEASE_TTL' })
    expect(settings.server?.port).toEqual({ value: 7420, from: 'default' })
    expect(stdout).not.toContain('s3cret')
  })

  test('every problem is listed and ends with 3, before anything is started', async () => {
    const { code, stderr } = await run(['serve', '--port', '99999'], {
      env: { WORK_MANAGER_LEASE_TTL: '10m', WORK_MANAGER_DATABSE_URL: 'x' },
    })
    expect(code).toBe(3)
    expect(stderr).toContain('3 problems')
    expect(stderr).toContain('--port')
    expect(stderr).toContain('WORK_MANAGER_LEASE_TTL')
    expect(stderr).toContain('did you mean WORK_MANAGER_DATABASE_URL?')
  })

  test('--config names the file', async () => {
    await writeFile(path.join(cwd, 'other.json'), '{ "server": { "port": 8080 } }')
    const { stdout } = await run(['config', 'check', '--config', 'other.json'])
    expect(JSON.parse(stdout)).toMatchObject({ file: path.join(cwd, 'other.json'), settings: { server: { port: { value: 8080 } } } })
  })
})

describe('talking to a server', () => {
  test('the key of this machine goes to its own server only', async () => {
    await mkdir(path.join(cwd, '.work-manager'), { recursive: true, mode: 0o700 })
    await writeFile(path.join(cwd, '.work-manager', 'reviewer.key'), 'wm_p_of_this_machine\n', { mode: 0o600 })
    const elsewhere = await run(['orders', '--url', 'http://192.0.2.1:7420'])
    expect(elsewhere.code).toBe(4)
    expect(elsewhere.stderr).toContain('No API key was given for http://192.0.2.1:7420')
    const fromEnvironment = await run(['orders'], { env: { WORK_MANAGER_URL: 'http://127.0.0.1.example:7420' } })
    expect(fromEnvironment.code).toBe(4)
    // Here nobody listens, but the key would have been sent.
    expect((await run(['orders', '--url', 'http://127.0.0.1:1'])).code).toBe(7)
    await writeFile(path.join(cwd, '.work-manager', 'server-url'), 'http://192.0.2.1:1\n')
    await chmod(path.join(cwd, '.work-manager', 'reviewer.key'), 0o644)
    const open = await run(['orders', '--url', 'http://127.0.0.1:1'])
    expect(open.code).toBe(4)
    expect(open.stderr).toContain('Others can read the key file')
    await rm(path.join(cwd, '.work-manager'), { recursive: true })
  })

  test('without a key it says where it looked, and ends with 4', async () => {
    const { code, stderr } = await run(['orders'])
    expect(code).toBe(4)
    for (const place of ['--key-file', 'WORK_MANAGER_KEY', path.join('.work-manager', 'reviewer.key')]) expect(stderr).toContain(place)
  })

  test.each([
    ['wm_a b', 'WORK_MANAGER_KEY'],
    ['"wm_x"\n"y"', 'WORK_MANAGER_KEY'],
  ])('a key that cannot be one (%j) is not sent and not shown', async (key, place) => {
    const { code, stderr } = await run(['orders', '--url', 'http://127.0.0.1:1'], { env: { WORK_MANAGER_KEY: key } })
    expect(code).toBe(4)
    expect(stderr).toContain(place)
    expect(stderr).not.toContain(key)
  })

  test('no server: 7, with the address that was tried', async () => {
    const url = await foreignServer(() => {})
    await new Promise((resolve) => (servers.pop() as Server).close(resolve))
    const { code, stderr } = await run(['orders', '--url', url, '--key', 'wm_x'])
    expect(code).toBe(7)
    expect(stderr).toContain(`${url}/api/work`)
    expect(stderr).toMatch(/work-manager\.mjs start\b/)
  })

  test.each<[string, RequestListener]>([
    [
      'a page',
      (_, response) => response.setHeader('content-type', 'text/html').setHeader('server', 'SomethingElse/1.0').end('<h1>hello</h1>'),
    ],
    [
      'JSON of another kind',
      (_, response) =>
        response
          .setHeader('content-type', 'application/json')
          .setHeader('server', 'SomethingElse/1.0')
          .writeHead(404)
          .end('{"error":"no"}'),
    ],
  ])('a server that answers with %s is not ours: 7, and what answered', async (_, listener) => {
    const { code, stderr } = await run(['orders', '--url', await foreignServer(listener), '--key', 'wm_x'])
    expect(code).toBe(7)
    expect(stderr).toContain('not Work Manager')
    expect(stderr).toContain('SomethingElse/1.0')
  })

  test('a redirect is not followed: the key stays here', async () => {
    const { code, stderr } = await run([
      'orders',
      '--url',
      await foreignServer((_, response) => response.writeHead(301, { location: 'https://elsewhere.example/' }).end()),
      '--key',
      'wm_x',
    ])
    expect(code).toBe(7)
    expect(stderr).toContain('https://elsewhere.example/')
  })

  test.each([
    [404, 5],
    [409, 6],
    [503, 7],
  ])('a refusal with status %i ends with %i and shows detail and fix', async (status, exit) => {
    const problem = {
      code: 'some_code',
      detail: 'What is \u001b[31mwrong.',
      fix: 'What to do.',
      errors: { 'payload.x': ['must be a number'] },
    }
    const url = await foreignServer((_, response) =>
      response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem)),
    )
    const { code, stderr } = await run(['orders', '--url', url, '--key', 'wm_x'])
    expect(code).toBe(exit)
    expect(stderr).toContain('error[some_code]: What is ⟦U+001B⟧[31mwrong.')
    expect(stderr).toContain('payload.x: must be a number')
    expect(stderr).toContain('fix: What to do.')
  })

  test('a reader that goes away early is no failure', async () => {
    const url = await foreignServer((_, response) =>
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ data: Array.from({ length: 20_000 }, (__, n) => ({ id: `order ${n}` })), total: 20_000 })),
    )
    const { code, stderr } = await run(['orders', '--url', url, '--key', 'wm_x'], {
      reader: (child) => child.stdout?.once('data', () => child.stdout?.destroy()),
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  test('Ctrl-C ends a waiting command with 130, silently', async () => {
    let waiting: () => void = () => {}
    const asked = new Promise<void>((resolve) => (waiting = resolve))
    const url = await foreignServer(() => waiting())
    const { code, stderr } = await run(['orders', '--url', url, '--key', 'wm_x'], {
      reader: (child) => void asked.then(() => child.kill('SIGINT')),
    })
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' })
  })
})

describe('where it runs', () => {
  test('the first words cost no library of the server', async () => {
    const counter = path.join(cwd, 'count-modules.mjs')
    await writeFile(
      counter,
      `import { registerHooks } from 'node:module'
       const seen = []
       registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) })
       process.on('exit', () => process.stderr.write(JSON.stringify(seen)))`,
    )
    // What asks a server of this place, which is not there, needs no more.
    const commands = [
      ['--version'],
      ['--help'],
      ['keys', 'create', '--help'],
      ['orders'],
      ['why', 'x', '--url', 'http://127.0.0.1:1', '--key', 'wm_x'],
    ]
    for (const words of commands) {
      const { stderr } = await run(words, { env: { NODE_OPTIONS: `--import=${counter}` } })
      const seen = JSON.parse(stderr.slice(stderr.indexOf('["'))) as string[]
      expect(
        seen.filter((url) => /node_modules.(typebox|pino|pg|fastify|redis)\b/.test(url)),
        words.join(' '),
      ).toEqual([])
      expect(seen.length, words.join(' ')).toBeLessThan(130)
    }
  })

  test.runIf(process.platform === 'linux')('a full disk under stdout is one sentence', async () => {
    const child = spawn('sh', ['-c', '"$0" "$1" --help > /dev/full', process.execPath, cliProgram], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(code).toBe(8)
    expect(said).toContain('The output cannot be written: no space is left (ENOSPC).')
    expect(said).not.toContain('    at ')
  })

  test('a proxy of the shell is not asked for a server on this machine', async () => {
    const proxied: string[] = []
    const proxy = await foreignServer((request, response) => {
      proxied.push(request.url ?? '')
      response.end('proxy')
    })
    const server = await foreignServer((_, response) => {
      response.writeHead(401, { 'content-type': 'application/problem+json' })
      response.end(JSON.stringify({ code: 'key_unknown', detail: 'The key is not known.', fix: 'x', retry: 'never' }))
    })
    const env = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy, http_proxy: proxy }
    const { code, stderr } = await run(['--url', server, '--key', 'wm_a_x', 'orders'], { env })
    expect(stderr).toContain('key_unknown')
    expect(code).toBe(4)
    expect(proxied).toEqual([])
  })

  test.each(['/proc', '/nonexistent'])('a home that nothing can be kept in (%s) stops nothing', async (home) => {
    expect(await run(['--version'], { env: { HOME: home, XDG_CACHE_HOME: '' } })).toMatchObject({ code: 0, stderr: '' })
  })

  test('what the file system refuses is one sentence with the path', async () => {
    const file = path.join(cwd, 'a-file')
    await writeFile(file, '')
    const { code, stderr } = await run(['mcp', 'install', '--client', 'cursor', '--key-file', file], {
      env: { HOME: file, XDG_CONFIG_HOME: '' },
    })
    expect(code).toBe(8)
    expect(stderr).toMatch(/^error\[file_unusable\]: \S+ cannot be (used|written): .*\.\n {2}fix: .+\n$/)
  })
})
