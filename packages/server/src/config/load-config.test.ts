import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigError, defineConfig, loadConfig, readConfig, type LoadOptions } from './index.ts'
import { settings } from './settings.ts'
import { defaultDataDirectory, defaultHost, defaultPort, isUnconfigured } from './unconfigured.ts'

let cwd: string
beforeEach(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'wm-config-'))
})
afterEach(async () => {
  await rm(cwd, { recursive: true, force: true })
})

const load = (env: Record<string, string> = {}, options: Partial<LoadOptions> = {}) => loadConfig({ env, cwd, ...options })

async function problems(env: Record<string, string> = {}, options: Partial<LoadOptions> = {}): Promise<readonly string[]> {
  const error = await load(env, options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ConfigError)
  return (error as ConfigError).problems
}

async function notices(env: Record<string, string>, options: Partial<LoadOptions> = {}): Promise<string[]> {
  const told: string[] = []
  await load(env, { ...options, notice: (sentence) => told.push(sentence) })
  return told
}

describe('values', () => {
  test('with nothing set, every default stands and paths are absolute', async () => {
    const config = await load()
    expect(config.server).toEqual({
      host: '127.0.0.1',
      port: 7420,
      public_url: undefined,
      base_paths: ['/api/work', '/api/agent/work', '/agent/work'],
      body_limit_bytes: 1048576,
      trust_proxy: false,
      log_level: 'info',
      drain_seconds: 10,
      workers: 1,
    })
    expect(config.database).toEqual({
      url: undefined,
      admin_url: undefined,
      data_directory: path.join(cwd, '.work-manager'),
      max_connections: 24,
    })
    expect(config.lease).toMatchObject({ backend: 'database', ttl_seconds: 600, heartbeat_every_seconds: 120, require_token: true })
  })

  test('the environment speaks every spelling of a setting', async () => {
    expect((await load({ WORK_MANAGER_LEASE_TTL: '300' })).lease.ttl_seconds).toBe(300)
    expect((await load({ WORK_MANAGER_LEASE_TTL_SECONDS: '301' })).lease.ttl_seconds).toBe(301)
    expect((await load({ WORK_MANAGER_MAX_PARTS_PER_ITEM: '7' })).partials.max_parts_per_item).toBe(7)
    expect((await load({ WORK_MANAGER_MAX_PART_PAYLOAD_BYTES: '2048' })).partials.max_payload_bytes).toBe(2048)
    expect((await load({ DATABASE_URL: 'postgres://u:p@db/work' })).database.url).toBe('postgres://u:p@db/work')
    expect((await load({})).approval.require_digest).toBe(true)
    expect((await load({ WORK_MANAGER_APPROVAL_REQUIRE_DIGEST: 'no' })).approval.require_digest).toBe(false)
    expect((await load({ WORK_MANAGER_ORDER_TYPES: ' ./a , /b,' })).order_types.directories).toEqual([path.join(cwd, 'a'), '/b'])
    expect((await load({ WORK_MANAGER_SERVER_TRUST_PROXY: '10.0.0.0/8,loopback' })).server.trust_proxy).toEqual(['10.0.0.0/8', 'loopback'])
    expect((await load({ WORK_MANAGER_SERVER_TRUST_PROXY: 'false' })).server.trust_proxy).toBe(false)
    expect((await load({ WORK_MANAGER_TRACING_SAMPLE_RATIO: '0.25' })).tracing.sample_ratio).toBe(0.25)
    expect((await load({ WORK_MANAGER_TRACING_SAMPLE_RATIO: '1' })).tracing.sample_ratio).toBe(1)
  })

  test('an empty variable counts as absent', async () => {
    expect((await load({ WORK_MANAGER_PORT: '', DATABASE_URL: ' ' })).server.port).toBe(7420)
  })

  test('a file in JSON, JavaScript or TypeScript is read, and the environment wins over it', async () => {
    await writeFile(path.join(cwd, 'work-manager.config.json'), JSON.stringify({ server: { port: 8080 }, lease: { ttl_seconds: 900 } }))
    const config = await load({ WORK_MANAGER_PORT: '9090' })
    expect([config.server.port, config.lease.ttl_seconds]).toEqual([9090, 900])
    await rm(path.join(cwd, 'work-manager.config.json'))
    await writeFile(path.join(cwd, 'work-manager.config.ts'), 'const port: number = 8081\nexport default { server: { port } }\n')
    expect((await load()).server.port).toBe(8081)
  })

  test('paths in a file are relative to the file', async () => {
    await mkdir(path.join(cwd, 'etc'))
    await writeFile(
      path.join(cwd, 'etc', 'wm.json'),
      JSON.stringify({ database: { data_directory: 'data' }, order_types: { directories: ['types'] } }),
    )
    const config = await load({}, { file: 'etc/wm.json' })
    expect(config.database.data_directory).toBe(path.join(cwd, 'etc', 'data'))
    expect(config.order_types.directories).toEqual([path.join(cwd, 'etc', 'types')])
  })

  test('a flag wins over everything and is named in the complaint', async () => {
    const flags = (text: string) => ({ flags: { 'server.port': { text, from: '--port' } } })
    expect((await load({ WORK_MANAGER_PORT: '1' }, flags('8088'))).server.port).toBe(8088)
    expect(await problems({}, flags('99999'))).toEqual(['server.port (--port) is 99999; accepted: a whole number from 0 to 65535'])
  })

  test('the result is frozen to the bottom', async () => {
    const config = await load()
    expect(() => (config.server.base_paths as string[]).push('/x')).toThrow(TypeError)
    expect(() => Object.assign(config.lease, { ttl_seconds: 1 })).toThrow(TypeError)
  })

  test('origins tell where each value comes from', async () => {
    await writeFile(path.join(cwd, 'work-manager.config.json'), '{\n  "lease": {\n    "ttl_seconds": 900\n  }\n}')
    const { origins, file } = await readConfig({ env: { WORK_MANAGER_HOST: '::1' }, cwd })
    expect(Object.fromEntries(origins)).toEqual({ 'lease.ttl_seconds': 'work-manager.config.json:3', 'server.host': 'WORK_MANAGER_HOST' })
    expect(file).toBe(path.join(cwd, 'work-manager.config.json'))
  })

  test('defineConfig gives back what it was given', () => {
    expect(defineConfig({ server: { port: 1 } })).toEqual({ server: { port: 1 } })
  })
})

describe('problems', () => {
  test('all of them come in one list', async () => {
    await writeFile(
      path.join(cwd, 'work-manager.config.json'),
      '{\n  "lease": { "ttl_secnds": 5 },\n  "leese": {},\n  "query": { "max_page_size": "many" }\n}',
    )
    expect(await problems({ WORK_MANAGER_DATABSE_URL: 'x', WORK_MANAGER_LEASE_TTL: '10m', WORK_MANAGER_LOG_LEVEL: 'loud' })).toEqual([
      'work-manager.config.json:2: lease.ttl_secnds is not a setting; did you mean ttl_seconds?',
      'work-manager.config.json:3: leese is not a setting; did you mean lease?',
      'The variable WORK_MANAGER_DATABSE_URL is not known; did you mean WORK_MANAGER_DATABASE_URL?',
      "server.log_level (WORK_MANAGER_LOG_LEVEL) is 'loud'; accepted: one of trace, debug, info, warn, error, fatal, silent",
      "lease.ttl_seconds (WORK_MANAGER_LEASE_TTL) is '10m'; accepted: a whole number from 5 to 86400",
      "query.max_page_size (work-manager.config.json:4) is 'many'; accepted: a whole number from 1 to 1000",
    ])
  })

  test.each(['2', '-0.1', 'abc', '0.1.2', '1e-1'])('a share of %s is refused with the range', async (text) => {
    expect(await problems({ WORK_MANAGER_TRACING_SAMPLE_RATIO: text })).toEqual([expect.stringContaining('accepted: a number from 0 to 1')])
  })

  test.each(['0', '-1', '1e9', '999999', '12.5'])('a lease of %s seconds is refused with the range', async (text) => {
    const [problem] = await problems({ WORK_MANAGER_LEASE_TTL: text })
    expect(problem).toContain('from 5 to 86400')
  })

  test('a heartbeat interval above half of the lease is refused with the bound', async () => {
    expect(await problems({ WORK_MANAGER_LEASE_TTL: '60' })).toEqual([
      expect.stringContaining('must be at most 30, half of lease.ttl_seconds (60)'),
    ])
    await load({ WORK_MANAGER_LEASE_TTL: '60', WORK_MANAGER_LEASE_HEARTBEAT_EVERY_SECONDS: '30' })
  })

  test('values that fit alone but not together are refused', async () => {
    expect(await problems({ WORK_MANAGER_QUERY_DEFAULT_PAGE_SIZE: '200' })).toEqual([expect.stringContaining('query.max_page_size (100)')])
    expect(await problems({ WORK_MANAGER_RETRY_BACKOFF_SECONDS: '4000' })).toEqual([
      expect.stringContaining('retry.max_backoff_seconds (3600)'),
    ])
    expect(await problems({ WORK_MANAGER_LEASE_BACKEND: 'redis' })).toEqual([expect.stringContaining('redis.url is not set')])
    expect((await load({ WORK_MANAGER_LEASE_BACKEND: 'redis', REDIS_URL: 'redis://localhost' })).lease.backend).toBe('redis')
    expect(await problems({ WORK_MANAGER_LEASE_BACKEND: 'memcached' })).toEqual([expect.stringContaining('one of database, redis')])
    expect(await problems({ DATABASE_ADMIN_URL: 'postgres://o:p@db/work' })).toEqual([expect.stringContaining('database.url is not')])
  })

  test.each([
    ['work.example.org', 'https://work.example.org'],
    ['ftp://work.example.org', 'https:// or http://'],
    ['https://work.example.org/app', 'as in https://work.example.org'],
  ])('the public URL %s is refused with an example', async (url, advice) => {
    expect(await problems({ WORK_MANAGER_PUBLIC_URL: url })).toEqual([expect.stringContaining(advice)])
  })

  test.each([
    ['WORK_MANAGER_HOST', 'http://localhost', 'without scheme or port'],
    ['WORK_MANAGER_HOST', 'localhost:8080', 'without scheme or port'],
    ['WORK_MANAGER_SERVER_TRUST_PROXY', 'true', 'accepted: false, or a list of proxy addresses'],
    ['WORK_MANAGER_SERVER_TRUST_PROXY', '10.0.0.0/33', "holds '10.0.0.0/33'"],
    ['WORK_MANAGER_SERVER_BASE_PATHS', '/api/work/', 'without a slash at the end'],
    ['WORK_MANAGER_IDEMPOTENCY_HEADER', 'My Key', 'the name of an HTTP header'],
    ['WORK_MANAGER_IDEMPOTENCY_TTL_HOURS', '1', 'from 24 to'],
  ])('%s=%s is refused and says what is accepted', async (name, value, advice) => {
    expect(await problems({ [name]: value })).toEqual([expect.stringContaining(advice)])
  })

  test('files that cannot be used say why', async () => {
    expect(await problems({}, { file: 'absent.ts' })).toEqual([expect.stringContaining('does not exist')])
    expect(await problems({}, { file: '.' })).toEqual([expect.stringContaining('must end in')])
    await writeFile(path.join(cwd, 'broken.json'), '{ "server": }')
    expect(await problems({}, { file: 'broken.json' })).toEqual([expect.stringContaining('cannot be loaded')])
    await writeFile(path.join(cwd, 'list.json'), '[]')
    expect(await problems({}, { file: 'list.json' })).toEqual([expect.stringContaining('must export an object')])
    await writeFile(path.join(cwd, 'bare.mjs'), 'export const port = 1\n')
    expect(await problems({}, { file: 'bare.mjs' })).toEqual([expect.stringContaining('no default export')])
    await writeFile(path.join(cwd, 'flat.json'), '{ "server": 7420 }')
    expect(await problems({}, { file: 'flat.json' })).toEqual([expect.stringContaining('server must be an object with host, port')])
  })

  test('two files side by side are refused', async () => {
    await writeFile(path.join(cwd, 'work-manager.config.json'), '{}')
    await writeFile(path.join(cwd, 'work-manager.config.mjs'), 'export default {}\n')
    expect(await problems()).toEqual([expect.stringContaining('several configuration files')])
  })

  test.skipIf(process.platform === 'win32')('a file with a database password must be private', async () => {
    const file = path.join(cwd, 'work-manager.config.json')
    await writeFile(file, JSON.stringify({ database: { url: 'postgres://u:pw@db/work' } }), { mode: 0o644 })
    await chmod(file, 0o644)
    expect(await problems()).toEqual([expect.stringContaining(`chmod 600 '${file}'`)])
    await chmod(file, 0o600)
    expect((await load()).database.url).toBe('postgres://u:pw@db/work')
  })
})

describe('a place where nothing is configured', () => {
  const write = (name: string, text: string) => writeFile(path.join(cwd, name), text)

  test('is known without the schema, and the defaults are those of the schema', async () => {
    const { server, database } = await load()
    expect([server.host, server.port, database.data_directory]).toEqual([defaultHost, defaultPort, path.join(cwd, defaultDataDirectory)])
    expect(isUnconfigured(cwd, { PATH: '/bin', WORK_MANAGER_URL: 'http://x', WORK_MANAGER_KEY: 'k' })).toBe(true)
    await write('work-manager.config.json', '{ "order_types": { "directories": ["types"] } }')
    expect(isUnconfigured(cwd, {})).toBe(true)
  })

  test.each([
    ['a variable', { WORK_MANAGER_PORT: '1' }, {}],
    ['a variable that nobody knows', { WORK_MANAGER_PROT: '1' }, {}],
    ['a file about the server', {}, { 'work-manager.config.json': '{ "server": {} }' }],
    ['a file about the data', {}, { 'work-manager.config.json': '{ "database": {} }' }],
    ['a file that cannot be read', {}, { 'work-manager.config.json': '{' }],
    ['a program', {}, { 'work-manager.config.ts': 'export default {}' }],
    ['two files', {}, { 'work-manager.config.json': '{}', 'work-manager.config.mjs': 'export default {}' }],
  ])('%s is configuration', async (_, env, files) => {
    for (const [name, text] of Object.entries(files)) await write(name, text)
    expect(isUnconfigured(cwd, env)).toBe(false)
  })
})

describe('secrets in files', () => {
  const put = async (text: string) => {
    const file = path.join(cwd, 'secret')
    await writeFile(file, text)
    return file
  }

  test('a secret is read from the file that its variable with _FILE names, under every spelling, and its origin is the variable', async () => {
    const file = await put('postgres://u:pw@db/work\n')
    for (const name of ['DATABASE_URL_FILE', 'WORK_MANAGER_DATABASE_URL_FILE']) {
      const { config, origins } = await readConfig({ env: { [name]: file }, cwd })
      expect(config.database.url).toBe('postgres://u:pw@db/work')
      expect(origins.get('database.url')).toBe(name)
    }
  })

  test('every secret can lie in a file, and nothing else', async () => {
    for (const { env, schema } of settings) {
      const found = await problems({ [`${env[0]}_FILE`]: path.join(cwd, 'absent') })
      expect(found, env[0]).toEqual([expect.stringContaining(schema.secret === true ? 'does not exist' : 'is not known')])
    }
  })

  test.each([
    ['is empty', ''],
    ['holds more than one line', 'a\nb'],
  ])('a file that %s is refused, by the name of the variable, without its content', async (why, text) => {
    const file = await put(text)
    expect(await problems({ WORK_MANAGER_GUARD_SECRET_FILE: file })).toEqual([
      expect.stringMatching(`^WORK_MANAGER_GUARD_SECRET_FILE names .*, which ${why}`),
    ])
  })

  test('the secret itself and its file together are refused', async () => {
    const file = await put('redis://a')
    expect(await problems({ REDIS_URL: 'redis://b', REDIS_URL_FILE: file })).toEqual([
      'REDIS_URL and REDIS_URL_FILE are both set; keep one of them',
    ])
  })

  test('what a file holds is judged like any other value, and never repeated', async () => {
    const file = await put('hunter2')
    const [problem, ...more] = await problems({ WORK_MANAGER_GUARD_SECRET_FILE: file })
    expect(more).toEqual([])
    expect(problem).toContain('WORK_MANAGER_GUARD_SECRET_FILE')
    expect(problem).not.toContain('hunter2')
  })
})

describe('notices', () => {
  test('a file and the environment that differ: the environment wins, and it is said', async () => {
    await writeFile(path.join(cwd, 'work-manager.config.json'), '{ "server": { "port": 8080 } }')
    expect(await notices({ WORK_MANAGER_PORT: '9090' })).toEqual([
      'server.port is set by work-manager.config.json:1 and by WORK_MANAGER_PORT, differently: WORK_MANAGER_PORT wins.',
    ])
    expect(await notices({ WORK_MANAGER_PORT: '8080' })).toEqual([])
  })

  test('two spellings that differ', async () => {
    expect(await notices({ WORK_MANAGER_LEASE_TTL: '300', WORK_MANAGER_LEASE_TTL_SECONDS: '400' })).toEqual([
      'WORK_MANAGER_LEASE_TTL_SECONDS and WORK_MANAGER_LEASE_TTL are both set and differ: WORK_MANAGER_LEASE_TTL_SECONDS wins.',
    ])
  })

  test('an address that other machines reach', async () => {
    expect(await notices({ WORK_MANAGER_HOST: '0.0.0.0' })).toEqual([expect.stringContaining('other machines can reach this server')])
    expect(await notices({ WORK_MANAGER_HOST: '127.0.0.2' })).toEqual([])
  })

  test('workers that count requests each for itself are pointed out; with a Redis they count together', async () => {
    expect(await notices({ WORK_MANAGER_WORKERS: 'auto' })).toEqual([expect.stringContaining('each worker counts requests for itself')])
    expect(await notices({ WORK_MANAGER_WORKERS: '2', REDIS_URL: 'redis://localhost' })).toEqual([])
    expect(await notices({ WORK_MANAGER_WORKERS: '1' })).toEqual([])
  })

  test("the predecessor's variables without a use are pointed out, not refused", async () => {
    expect(await notices({ WORK_MANAGER_QUEUE_CONNECTION: 'redis' })).toEqual([
      'WORK_MANAGER_QUEUE_CONNECTION has no effect: background work is kept in PostgreSQL and needs no queue; background.enabled says which processes do it.',
    ])
  })

  test('a part limit that the body limit makes unreachable', async () => {
    expect(await notices({ WORK_MANAGER_MAX_PART_PAYLOAD_BYTES: '2000000' })).toEqual([expect.stringContaining('can never be reached')])
  })
})
