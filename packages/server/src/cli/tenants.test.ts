/** `tenants` straight in a database, as whoever runs the server would type it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ended, runCli } from '../../testing/run-cli.ts'
import { startTestServer, type TestServer } from '../../testing/test-server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ background: false, config: { rate_limits: { enabled: true } } })
  await server.manager.tenants.ensure('acme', 'Acme')
})
afterAll(() => server.stop())

const run = (env: Record<string, string>, ...args: string[]): Promise<Ended> => runCli(['tenants', ...args], { env })
const direct = (...args: string[]) => run({ DATABASE_URL: server.database.runtimeUrl }, ...args)

test('lists tenants, sets a tier, and a server that runs believes it', async () => {
  const listed = await direct('list')
  expect(listed.code, listed.stderr).toBe(0)
  expect(JSON.parse(listed.stdout)).toEqual([expect.objectContaining({ slug: 'acme', name: 'Acme', tier: 'default', suspended: false })])
  const set = await direct('tier', 'acme', 'professional')
  expect(set.code, set.stderr).toBe(0)
  expect(JSON.parse(set.stdout)).toEqual({ tenant: 'acme', tier: 'professional', before: 'default' })
  const caller = await server.caller('person', 'rita', { tenant: 'acme' })
  const status = await caller.get('/status')
  expect(status.body.rate_limit).toEqual({ tier: 'professional', per_minute: 1_000 })
  expect(status.headers.get('x-ratelimit-limit')).toBe('1000')
})

test.each([
  [['tier', 'acme', 'gold'], 2, 'enterprise, professional, default, free'],
  [['tier', 'acmee', 'free'], 5, 'did you mean acme?'],
])('tenants %s is explained', async (args, code, text) => {
  const ended = await direct(...args)
  expect(ended.code, ended.stdout).toBe(code)
  expect(ended.stderr).toContain(text)
})

test('the tenant of a first key on a database of one’s own has the tier that the guide says', async () => {
  const made = await runCli(['keys', 'create', '--kind', 'agent', '--principal', 'scribe'], {
    env: { DATABASE_URL: server.database.runtimeUrl },
  })
  expect(made.code, made.stderr).toBe(0)
  expect(JSON.parse((await direct('list')).stdout)).toContainEqual(expect.objectContaining({ slug: 'default', tier: 'enterprise' }))
})

test('no key of a tenant can do it through a server', async () => {
  const ended = await run({ WORK_MANAGER_URL: server.url }, 'tier', 'acme', 'enterprise')
  expect(ended.code).toBe(2)
  expect(ended.stderr).toContain('no key of a tenant may change what it is entitled to')
})
