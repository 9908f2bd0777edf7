import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readConfig } from './index.ts'

let cwd: string
beforeEach(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'wm-former-'))
})
afterEach(async () => {
  await rm(cwd, { recursive: true, force: true })
})

async function read(file: object, env: Record<string, string> = {}) {
  await writeFile(path.join(cwd, 'work-manager.config.json'), JSON.stringify(file, null, 2))
  const notices: string[] = []
  const { config, origins } = await readConfig({ env, cwd, notice: (sentence) => notices.push(sentence) })
  return { config, origins, notices }
}

const printedFile = {
  lease: {
    backend: 'redis',
    ttl_seconds: 600,
    heartbeat_every_seconds: 120,
    redis_connection: 'default',
    redis_prefix: 'work:lease:',
    max_leases_per_agent: null,
    max_leases_per_type: null,
  },
  metrics: { enabled: true, driver: 'log', namespace: 'work_manager', log_channel: 'metrics' },
}

const printedVariables = {
  WORK_MANAGER_LEASE_BACKEND: 'redis',
  WORK_MANAGER_REDIS_CONNECTION: 'default',
  WORK_MANAGER_MAX_LEASES_PER_AGENT: '10',
  WORK_MANAGER_MAX_LEASES_PER_TYPE: '50',
  WORK_MANAGER_METRICS_DRIVER: 'log',
  WORK_MANAGER_QUEUE_CONNECTION: 'redis',
}

test("the predecessor's file and environment are taken as its manual prints them, and every name without a use is explained", async () => {
  const { config, notices } = await read(printedFile, { ...printedVariables, REDIS_URL: 'redis://127.0.0.1:6379' })
  expect(config.lease).toMatchObject({ backend: 'redis', ttl_seconds: 600, max_per_agent: 10, max_per_type: 50 })
  expect(config.redis).toMatchObject({ url: 'redis://127.0.0.1:6379', prefix: 'work:lease:' })
  expect(config.metrics.driver).toBe('log')
  const about = (name: string) => notices.filter((sentence) => sentence.startsWith(name))
  for (const name of ['lease.redis_connection', 'lease.redis_prefix', 'lease.max_leases_per_agent', 'lease.max_leases_per_type'])
    expect(about(`${name} (work-manager.config.json:`), name).toHaveLength(1)
  for (const name of ['metrics.enabled', 'metrics.namespace', 'metrics.log_channel']) expect(about(name), name).toHaveLength(1)
  expect(about('WORK_MANAGER_QUEUE_CONNECTION')).toEqual([expect.stringContaining('background work is kept in PostgreSQL')])
  expect(about('WORK_MANAGER_REDIS_CONNECTION')).toEqual([expect.stringContaining('REDIS_URL says which Redis')])
})

test('without REDIS_URL the name of a connection leads to no Redis: the backend redis is refused by what is missing', async () => {
  await expect(read({}, printedVariables)).rejects.toThrow('name the Redis (REDIS_URL)')
  expect((await read({}, { WORK_MANAGER_REDIS_CONNECTION: 'default' })).config.redis.url).toBeUndefined()
  expect((await read({}, { WORK_MANAGER_REDIS_CONNECTION: 'redis://other:6379' })).config.redis.url).toBe('redis://other:6379')
})

test('the section concurrency is read as limits of leases and of requests', async () => {
  const { config, notices, origins } = await read({
    concurrency: {
      max_leases_per_agent: 10,
      max_leases_per_type: 50,
      rate_limits: { agent: { max: 100, per: '1m' }, type: { max: 30_000, per: '1h' } },
    },
  })
  expect(config.lease).toMatchObject({ max_per_agent: 10, max_per_type: 50 })
  expect(config.rate_limits).toMatchObject({ default_per_minute: 100, type_per_minute: 500 })
  expect(origins.get('lease.max_per_agent')).toBe('work-manager.config.json:3')
  expect(notices).toHaveLength(4)
})

test('metrics that were switched off stay off, whatever driver stands beside it', async () => {
  expect((await read({ metrics: { driver: 'log', enabled: false } })).config.metrics.driver).toBe('null')
})

test('the present name wins over the former one, and it is said', async () => {
  const { config, notices } = await read({ lease: { max_per_agent: 3, max_leases_per_agent: 9 } })
  expect(config.lease.max_per_agent).toBe(3)
  expect(notices).toEqual([
    expect.stringMatching(/^lease\.max_leases_per_agent .* is left aside: lease\.max_per_agent .* is set as well\.$/),
  ])
})

test.each([
  ['lease.max_per_agent (work-manager.config.json:3) is 0', { concurrency: { max_leases_per_agent: 0 } }],
  ['rate_limits.type_per_minute (work-manager.config.json:4)', { concurrency: { rate_limits: { type: { max: 5, per: 'hour' } } } }],
  ['concurrency.max_leases_per_agnt is not a setting; did you mean max_leases_per_agent?', { concurrency: { max_leases_per_agnt: 1 } }],
  ['concurrency.rate_limits.agnet is not a setting', { concurrency: { rate_limits: { agnet: { max: 5, per: '1m' } } } }],
  ['concurrency.rate_limits is not a setting', { concurrency: { rate_limits: 5 } }],
  ['concurrency must be an object with max_leases_per_agent', { concurrency: 5 }],
  ["metrics.driver (work-manager.config.json:3) is 'maybe'", { metrics: { enabled: 'maybe' } }],
])('what is wrong under a former name is refused: %s', async (message, file) => {
  await expect(read(file)).rejects.toThrow(message)
})
