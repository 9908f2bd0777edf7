/**
 * The pools behind `Db`, `SystemDb` and the hot path. Every statement runs as a role that owns nothing, within limits (session.ts) and a
 * deadline (watched-client.ts); the tenant is set inside each transaction.
 */
import { uuidPattern } from '../uuid.ts'
import pg from 'pg'
import type { Sql } from 'sql-template-tag'
import { createFairQueue } from './fair-queue.ts'
import type { Db, Instant, Queryable, SystemDb, Tx } from './tx.ts'
import { asWorkError, isRetryable, unreachable } from './pg-errors.ts'
import {
  appSession,
  hotSession,
  limitsForTransaction,
  type Session,
  setForTransaction,
  setUnlessLent,
  statementTimeoutMs,
  systemSession,
  windowSession,
} from './session.ts'
import { shareConnections } from './share-connections.ts'
import { answerWithinMs, WatchedClient, type WatchedConfig } from './watched-client.ts'

export interface DatabaseOptions {
  readonly url: string
  readonly maxConnections: number
  /** Called for errors of idle connections; without a listener one terminated backend would end the process. */
  onError(error: Error): void
  /** Deadline of a statement; by default a little over that of the server. */
  readonly answerWithinMs?: number
}

/** A connection of a pool, with what is known of its way to the server. */
class PooledClient extends WatchedClient {
  /** The silences that had been met when it was opened. */
  silencesBefore = 0
  /** Somebody else's pooler lends us a connection of its own for each transaction: nothing may be left on it, or expected of it. */
  isLent = false
}

/** What the hot path needs of its own connections: one statement, no transaction around it. */
export interface HotConnection {
  query<Row>(name: string, text: string, values: readonly unknown[]): Promise<Row[]>
}

export interface Database {
  readonly app: Db
  readonly system: SystemDb
  readonly hot: HotConnection
  /** For the statement of all tenants: a role of its own. */
  readonly windows: HotConnection
  /** Connections by pool, for the gauges. */
  use(): Readonly<Record<'app' | 'system' | 'hot' | 'windows', { readonly used: number; readonly idle: number; readonly waiting: number }>>
  /** Called after the commit of every transaction of `app` that ended or changed leases, before its caller hears of it. Must not fail. */
  onLeasesChanged(listener: (tenantId: string, itemIds: readonly string[]) => Promise<void>): void
  close(): Promise<void>
}

const maxAttempts = 3
const waitForConnectionMs = 5000
const closeWithinMs = 2000

const timestamptz = 1184
/** `2026-01-02 03:04:05.6+00` → an Instant. Sessions run in UTC, so the zone is always +00. */
const readInstant = (text: string): Instant => `${text.slice(0, 10)}T${text.slice(11, 19)}.${text.slice(20, -3).padEnd(6, '0')}Z`
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === timestamptz && format !== 'binary' ? readInstant : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
}

interface Pool {
  readonly pool: pg.Pool
  /** Behind the `begin` of each transaction on a lent connection. */
  readonly forTransaction: string
}

const useOf = ({ totalCount, idleCount, waitingCount }: pg.Pool) => ({
  used: totalCount - idleCount,
  idle: idleCount,
  waiting: waitingCount,
})

const pause = (attempt: number) => new Promise((resolve) => setTimeout(resolve, Math.random() * 25 * 2 ** attempt))

/** Names are for statements that are prepared once per connection; a lent connection is another one each time. */
async function runQuery<Row>(client: PooledClient, { text, values }: Pick<Sql, 'text' | 'values'>, name?: string): Promise<Row[]> {
  const result = await client.query(name && !client.isLent ? { name, text, values } : { text, values })
  return result.rows as Row[]
}

export function openDatabase(options: DatabaseOptions): Database {
  let closing = false
  // While we close, the server may end our idle connections first; that is no news to anybody.
  const onError = (error: Error) => {
    if (!closing) options.onError(error)
  }
  /** Raised by each silence. What is older goes the same way, most likely; it is left without waiting for its deadline, too. */
  let silences = 0
  const clients = new Set<PooledClient>()
  const pool = (session: Session, max: number): Pool => {
    const config: WatchedConfig & pg.PoolConfig = {
      connectionString: options.url,
      max,
      connectionTimeoutMillis: waitForConnectionMs,
      idleTimeoutMillis: 30_000,
      types,
      application_name: `work-manager ${session.role}`,
      ...(options.answerWithinMs && { answerWithinMs: options.answerWithinMs }),
      onSilent: () => silences++,
      Client: PooledClient,
      // The pool waits for the promise before it hands the client out; its types do not say so.
      // oxlint-disable-next-line typescript/no-misused-promises
      onConnect: async (client) => {
        const made = client as PooledClient
        clients.add(made)
        made.once('end', () => clients.delete(made))
        made.silencesBefore = silences
        const { rowCount } = await made.query(setUnlessLent(session, made.processID))
        made.isLent = rowCount === 0
      },
    }
    const made = new pg.Pool(config)
    made.on('error', onError)
    made.on('connect', (client) => client.on('error', onError))
    return { pool: made, forTransaction: setForTransaction(session) }
  }
  const shares = shareConnections(options.maxConnections)
  const appPool = pool(appSession, shares.app)
  // As many turns as connections: the pool's own queue, which knows no tenants, stays empty.
  const turns = createFairQueue(shares.app, waitForConnectionMs)
  const systemPool = pool(systemSession, shares.system)
  const hotPool = pool(hotSession, shares.hot)
  const windowPool = pool(windowSession, shares.windows)

  /** Refuses with: database_unavailable. */
  async function connect(from: pg.Pool): Promise<PooledClient & pg.PoolClient> {
    for (;;) {
      const client = (await from.connect().catch((error: unknown) => {
        throw unreachable(error)
      })) as PooledClient & pg.PoolClient
      if (client.silencesBefore === silences) return client
      client.destroy()
      client.release(true)
    }
  }

  /** Runs `work` between `begin` and commit on one client; a client that failed in an unclear way is not given back to the pool. */
  async function once<T>(from: Pool, begin: string, work: (client: PooledClient) => Promise<T>): Promise<T> {
    const client = await connect(from.pool)
    let broken: Error | undefined
    let stage: 'before_commit' | 'commit' = 'before_commit'
    try {
      await client.query(client.isLent ? `${begin}; ${from.forTransaction}` : begin)
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
      client.reset()
      client.release(broken)
    }
  }

  /** One statement, which is a transaction by itself. */
  async function alone<Row>(from: Pool, name: string, text: string, values: readonly unknown[]): Promise<Row[]> {
    const statement = { text, values: values as unknown[] }
    const client = await connect(from.pool)
    let broken: boolean | undefined
    try {
      if (!client.isLent) return await runQuery<Row>(client, statement, name)
      await client.query(`begin; ${from.forTransaction}`)
      const rows = await runQuery<Row>(client, statement)
      await client.query('commit')
      return rows
    } catch (error) {
      broken = true
      throw error
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
  const queryable = (client: PooledClient): Queryable => ({ query: (statement, name) => runQuery(client, statement, name) })
  /** Ends with its transaction: user code that kept the handle must not write into the next transaction of the connection. */
  async function whileOpen<T>(client: PooledClient, work: (q: Queryable) => Promise<T>): Promise<T> {
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
                    const [row] = await runQuery<{ now: Instant }>(client, { text: 'select clock_timestamp() as now', values: [] }, 'clock')
                    return row!.now
                  },
                  async allow(ms, isSet = false) {
                    if (!isSet) await client.query(limitsForTransaction(ms))
                    client.answerWithinMs = ms + answerWithinMs - statementTimeoutMs
                  },
                } as Tx),
              ),
            ),
          )
        })
        if (changedLeases.length > 0) await leasesChanged(tenantId, changedLeases)
        return value
      },
      call: (tenantId, { text, values }, name) =>
        again(() =>
          inTurn(tenantId, () =>
            alone(appPool, name, text, values).catch((error: unknown) => {
              // The server commits it before it answers.
              throw isRetryable(error) ? error : asWorkError(error, 'commit')
            }),
          ),
        ) as never,
    },
    system: {
      query: (statement, name) => again(() => once(systemPool, 'begin', (client) => runQuery(client, statement, name))),
      transaction: (work) => again(() => once(systemPool, 'begin', (client) => work(queryable(client)))),
    },
    hot: { query: (name, text, values) => alone(hotPool, name, text, values) },
    windows: { query: (name, text, values) => alone(windowPool, name, text, values) },
    onLeasesChanged(listener) {
      leasesChanged = listener
    },
    use: () => ({
      app: { ...useOf(appPool.pool), waiting: turns.waiting() },
      system: useOf(systemPool.pool),
      hot: useOf(hotPool.pool),
      windows: useOf(windowPool.pool),
    }),
    async close() {
      closing = true
      // Who still waits for an answer by now has been given the time for it.
      setTimeout(() => clients.forEach((client) => client.destroy(new Error('the database is being closed'))), closeWithinMs).unref()
      await Promise.all([appPool, systemPool, hotPool, windowPool].map(({ pool }) => pool.end()))
    },
  }
}
