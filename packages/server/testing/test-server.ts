/** A whole server on a database of its own, with two tenants and a key for each role; talks to it over real HTTP. */
import { randomUUID } from 'node:crypto'
import { everyFamily } from '@work-manager/contract'
import { pino } from 'pino'
import { generateKey } from '../src/access/api-keys.ts'
import { loadConfig, type ConfigInput } from '../src/config/index.ts'
import { openWorkManager, type WorkManager } from '../src/main.ts'
import type { Generator } from '../src/work/generators/define-generator.ts'
import type { OrderType } from '../src/work/order-types/define-order-type.ts'
import { insertApiKey } from '../src/access/store.ts'
import { assertAnswerShape } from './answer-shapes.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // The shape under test is what the test asserts; typing it here would hide a wrong one.
  readonly body: any
}

export interface Caller {
  readonly key: string
  readonly id: string
  get(path: string, headers?: Record<string, string>): Promise<Answer>
  /** Sends a new idempotency key unless one is given; `key: null` sends none. */
  post(
    path: string,
    body?: unknown,
    options?: { key?: string | null; headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Answer>
}

export interface TestServer {
  readonly manager: WorkManager
  readonly database: TestDatabase
  readonly url: string
  caller(kind: 'agent' | 'person' | 'service', id: string, options?: { tenant?: string; abilities?: string[] }): Promise<Caller>
  /** One pass of a background service by name. */
  run(service: string): Promise<number>
  stop(): Promise<void>
}

const allWork: Record<string, readonly string[]> = {
  agent: ['work:view', 'work:checkout', 'work:heartbeat', 'work:submit', 'work:propose'],
  person: everyFamily,
  service: ['work:propose', 'work:view', 'work:checkout', 'work:heartbeat', 'work:submit', 'work:cancel'],
}

export function createCaller(url: string, key: string, id: string): Caller {
  const send = async (
    method: string,
    path: string,
    init: { headers?: Record<string, string>; body?: string; signal?: AbortSignal },
  ): Promise<Answer> => {
    const target = path.startsWith('/api/') || path.startsWith('/agent/') ? `${url}${path}` : `${url}/api/work${path}`
    const response = await fetch(target, {
      method,
      headers: { authorization: `Bearer ${key}`, ...init.headers },
      ...(init.body === undefined ? {} : { body: init.body }),
      ...(init.signal ? { signal: init.signal } : {}),
    })
    const text = await response.text()
    let body: unknown
    try {
      body = JSON.parse(text)
    } catch {
      body = undefined
    }
    await assertAnswerShape(method, target, response.status, body)
    return { status: response.status, headers: response.headers, text, body }
  }
  return {
    key,
    id,
    get: (path, headers = {}) => send('GET', path, { headers }),
    post(path, body = {}, options = {}) {
      const idempotency: Record<string, string> = options.key === null ? {} : { 'idempotency-key': options.key ?? randomUUID() }
      return send('POST', path, {
        headers: { 'content-type': 'application/json', ...idempotency, ...options.headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...(options.signal ? { signal: options.signal } : {}),
      })
    },
  }
}

export async function startTestServer(
  options: {
    types?: readonly OrderType[]
    generators?: readonly Generator[]
    config?: ConfigInput
    background?: boolean
    database?: TestDatabase
  } = {},
): Promise<TestServer> {
  const database = options.database ?? (await createTestDatabase())
  const defaults = await loadConfig({ env: {}, cwd: import.meta.dirname })
  const given = (options.config ?? {}) as Record<string, object>
  const config = {
    ...(Object.fromEntries(
      Object.entries(defaults).map(([section, values]) => [section, { ...values, ...given[section] }]),
    ) as unknown as typeof defaults),
    database: { ...defaults.database, max_connections: 16, url: database.runtimeUrl, ...given.database },
    server: { ...defaults.server, port: 0, drain_seconds: 2, ...given.server },
    // Tests call hundreds of times a minute; those about limits switch them on.
    // Tests approve by id alone hundreds of times; those about digests ask for them.
    approval: { ...defaults.approval, require_digest: false, ...given.approval },
    rate_limits: { ...defaults.rate_limits, enabled: false, ...given.rate_limits },
    background: { enabled: options.background ?? true },
  }
  /** Refusals that their operations do not list: nobody who reads the references would expect them. */
  const unlisted = new Set<string>()
  const manager = await openWorkManager(config, {
    types: options.types ?? [],
    generators: options.generators ?? [],
    log: pino({ level: process.env.TEST_LOG ?? 'silent' }),
    onUnlistedRefusal: (operation, code) => unlisted.add(`${operation}: ${code}`),
  })
  const url = await manager.listen()
  return {
    manager,
    database,
    url,
    async caller(kind, id, { tenant = 'acme', abilities = allWork[kind]! } = {}) {
      // Straight into the table, without an event: the record of a test holds what the test does.
      const { id: tenantId } = await manager.tenants.ensure(tenant, tenant)
      const { plain, prefix, hash } = generateKey(kind)
      const stored = { id: randomUUID(), prefix, hash, name: `test ${id}`, principalKind: kind, principalId: id, abilities }
      await manager.tools.db.transaction(tenantId, (tx) =>
        insertApiKey(tx, tenantId, { ...stored, createdBy: 'system:test', expiresAt: null }),
      )
      return createCaller(url, plain, id)
    },
    run: (service) => manager.background[service]!.runOnce(),
    async stop() {
      await manager.stop()
      if (!options.database) await database.drop()
      if (unlisted.size > 0) throw new Error(`refusals that are not in \`refuses\` of their operation: ${[...unlisted].join(', ')}`)
    },
  }
}

/**
 * Polls until the value is there; races are decided by gates elsewhere, this only waits for background work to become visible. The limit is
 * for what never comes: on a machine with twenty times its work everything comes late.
 */
export async function until<T>(look: () => Promise<T | undefined | null | false>, what: string, ms = 100_000): Promise<T> {
  const end = performance.now() + ms
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (performance.now() > end) throw new Error(`did not happen within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
