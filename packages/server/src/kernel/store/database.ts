/**
 * The pools behind `Db`, `SystemDb` and the hot path. Every connection takes on a role that owns nothing; the tenant is set
 * inside each transaction. Timeouts are set on the session, so that a paused process loses its locks instead of keeping them.
 */
import { uuidPattern } from '../uuid.ts'
import pg from 'pg'
import type { Sql } from 'sql-template-tag'
import { createFairQueue } from './fair-queue.ts'
import type { Db, Instant, Queryable, SystemDb, Tx } from './tx.ts'
import { asWorkError, isRetryable } from './pg-errors.ts'

export interface DatabaseOptions {
  readonly url: string
  readonly maxConnections: number
  /** Called for errors of idle connections; without a listener one terminated backend would end the process. */
  onError(error: Error): void
}

/** What the hot path needs of its own connections: one statement, no transaction around it. */
export interface HotConnection {
  query<Row>(name: string, text: string, values: readonly unknown[]): Promise<Row[]>
}

export interface Database {
  readonly app: Db
  readonly system: SystemDb
  readonly hot: HotConnection
  /** Connections by pool, for the gauges. */
  use(): Readonly<Record<'app' | 'system' | 'hot', { readonly used: number; readonly idle: number; readonly waiting: number }>>
  /** Called after the commit of every transaction of `app` that ended or changed leases, before its caller hears of it. Must not fail. */
  onLeasesChanged(listener: (tenantId: string, itemIds: readonly string[]) => Promise<void>): void
  close(): Promise<void>
}

const sessionTimeouts =
  '-c statement_timeout=5000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=5000 -c synchronous_commit=on -c timezone=UTC -c jit=off'
/**
 * Hot statements are driven by a handful of ids through primary keys. Hash and merge joins against `unnest` look cheap to the planner
 * while tables are small and get worse with every row; the generic plan is pinned, so the wrong guess would stay for the connection's life.
 */
const hotPlanning =
  '-c plan_cache_mode=force_generic_plan -c enable_hashjoin=off -c enable_mergejoin=off -c enable_seqscan=off -c enable_material=off -c enable_sort=off'
/** What a session of the hot path runs with; the benchmark's direct connections use the same. */
export const hotSessionOptions = `${sessionTimeouts} ${hotPlanning}`
/**
 * To be run once in a session of the hot path. Before version 17 an index gives no order for `id = any (…)` on its second column: with sorts
 * off, the planner would rather read all rows of the tenant in order than sort the ten it wants (20,000 pages per checkout at 20,000 items).
 */
export const settleHotSession = "select set_config('enable_sort', 'on', false) where current_setting('server_version_num')::int < 170000"
const maxAttempts = 3
const waitForConnectionMs = 5000

const timestamptz = 1184
/** `2026-01-02 03:04:05.6+00` → an Instant. Sessions run in UTC, so the zone is always +00. */
const readInstant = (text: string): Instant => `${text.slice(0, 10)}T${text.slice(11, 19)}.${text.slice(20, -3).padEnd(6, '0')}Z`
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === timestamptz && format !== 'binary' ? readInstant : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
}

const useOf = ({ totalCount, idleCount, waitingCount }: pg.Pool) => ({
  used: totalCount - idleCount,
  idle: idleCount,
  waiting: waitingCount,
})

const pause = (attempt: number) => new Promise((resolve) => setTimeout(resolve, Math.random() * 25 * 2 ** attempt))

async function runQuery<Row>(client: pg.ClientBase, statement: Sql, name?: string): Promise<Row[]> {
  const result = await client.query(
    name ? { name, text: statement.text, values: statement.values } : { text: statement.text, values: statement.values },
  )
  return result.rows as Row[]
}

export function openDatabase(options: DatabaseOptions): Database {
  let closing = false
  // While we close, the server may end our idle connections first; that is no news to anybody.
  const onError = (error: Error) => {
    if (!closing) options.onError(error)
  }
  const pool = (role: string, max: number, session = sessionTimeouts, onConnect?: (client: pg.ClientBase) => Promise<unknown>) => {
    const made = new pg.Pool({
      connectionString: options.url,
      max,
      options: `-c role=${role} ${session}`,
      connectionTimeoutMillis: waitForConnectionMs,
      idleTimeoutMillis: 30_000,
      types,
      application_name: `work-manager ${role}`,
      // The pool waits for the promise before it hands the client out; its types do not say so.
      // oxlint-disable-next-line typescript/no-misused-promises
      ...(onConnect && { onConnect }),
    })
    made.on('error', onError)
    made.on('connect', (client) => client.on('error', onError))
    return made
  }
  const hotMax = Math.max(2, Math.min(6, Math.floor(options.maxConnections / 4)))
  const systemMax = Math.max(2, Math.min(6, Math.floor(options.maxConnections / 4)))
  const appMax = Math.max(2, options.maxConnections - hotMax - systemMax)
  const appPool = pool('wm_app', appMax)
  // As many turns as connections: the pool's own queue, which knows no tenants, stays empty.
  const turns = createFairQueue(appMax, waitForConnectionMs)
  const systemPool = pool('wm_system', systemMax)
  const hotPool = pool('wm_app', hotMax, hotSessionOptions, (client) => client.query(settleHotSession))

  /** Runs `work` between `begin` and commit on one client; a client that failed in an unclear way is not given back to the pool. */
  async function once<T>(from: pg.Pool, begin: string, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await from.connect()
    let broken: Error | undefined
    let stage: 'before_commit' | 'commit' = 'before_commit'
    try {
      await client.query(begin)
      const value = await work(client)
      stage = 'commit'
      await client.query('commit')
      return value
    } catch (error) {
      try {
        await client.query('rollback')
      } catch (rollbackError) {
        broken = rollbackError as Error
      }
      throw isRetryable(error) && stage === 'before_commit' ? error : asWorkError(error, stage)
    } finally {
      client.release(broken)
    }
  }

  async function inTurn<T>(tenantId: string, run: () => Promise<T>): Promise<T> {
    const leave = await turns.enter(tenantId)
    try {
      return await run()
    } finally {
      leave()
    }
  }

  async function again<T>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run()
      } catch (error) {
        if (!isRetryable(error) || attempt >= maxAttempts) throw asWorkError(error, 'before_commit')
        await pause(attempt)
      }
    }
  }

  let leasesChanged: (tenantId: string, itemIds: readonly string[]) => Promise<void> = () => Promise.resolve()
  const beginFor = (tenantId: string, mode: string) => {
    if (!uuidPattern.test(tenantId)) throw new TypeError(`not a tenant id: ${tenantId}`)
    return `begin ${mode}; select set_config('wm.tenant_id', '${tenantId}', true)`
  }
  const queryable = (client: pg.ClientBase): Queryable => ({ query: (statement, name) => runQuery(client, statement, name) })
  /** Ends with its transaction: user code that kept the handle must not write into the next transaction of the connection. */
  async function whileOpen<T>(client: pg.ClientBase, work: (q: Queryable) => Promise<T>): Promise<T> {
    let over = false
    const { query } = queryable(client)
    try {
      return await work({
        query: (statement, name) =>
          over ? Promise.reject(new Error('the transaction is over; await every query inside it')) : query(statement, name),
      })
    } finally {
      over = true
    }
  }

  return {
    app: {
      read: (tenantId, work) =>
        again(() => inTurn(tenantId, () => once(appPool, beginFor(tenantId, 'read only'), (client) => whileOpen(client, work)))),
      async transaction(tenantId, work) {
        let changedLeases: string[] = []
        const value = await again(() => {
          changedLeases = []
          return inTurn(tenantId, () =>
            once(appPool, beginFor(tenantId, 'read write'), (client) =>
              whileOpen(client, (q) =>
                work({
                  ...q,
                  tenantId,
                  changedLeases,
                  clock: async () => {
                    const { rows } = await client.query<{ now: Instant }>({ name: 'clock', text: 'select clock_timestamp() as now' })
                    return rows[0]!.now
                  },
                } as Tx),
              ),
            ),
          )
        })
        if (changedLeases.length > 0) await leasesChanged(tenantId, changedLeases)
        return value
      },
    },
    system: {
      query: (statement, name) => again(() => once(systemPool, 'begin', (client) => runQuery(client, statement, name))),
      transaction: (work) => again(() => once(systemPool, 'begin', (client) => work(queryable(client)))),
    },
    hot: {
      async query<Row>(name: string, text: string, values: readonly unknown[]) {
        const result = await hotPool.query({ name, text, values: values as unknown[] })
        return result.rows as Row[]
      },
    },
    onLeasesChanged(listener) {
      leasesChanged = listener
    },
    use: () => ({ app: { ...useOf(appPool), waiting: turns.waiting() }, system: useOf(systemPool), hot: useOf(hotPool) }),
    async close() {
      closing = true
      await Promise.all([appPool.end(), systemPool.end(), hotPool.end()])
    },
  }
}
