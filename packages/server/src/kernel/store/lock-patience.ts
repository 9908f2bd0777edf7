/**
 * Changing tables that are in use. A lock that waits behind a long transaction makes everybody else wait behind itself, so it is given up
 * after a moment, all that was begun is undone, callers go through, and it is tried again, until the patience is over.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { isRetryable } from './pg-errors.ts'
import { openClient, type WatchedClient } from './watched-client.ts'

/** The longest that callers wait because of us; a tenth of what a statement of theirs may take. */
export const lockWithinMs = 500
export const defaultPatienceMs = 120_000
/** However long the first one took: it may have been at an index for an hour before it met somebody. */
const fewestTries = 3
/** Between two tries: drawn from twice this, so that we meet the others at another moment each time. */
const pauseMs = 1000
const lookEveryMs = 50
/** What the role or the database limits is meant for those who serve, not for a new index. */
const ownLimits = ['lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout']
  // Where the version knows it.
  .map((name) => `(select set_config(name, '0', true) from pg_settings where name = '${name}')`)
  .join(', ')

/** A session that holds what we wait for. */
export interface Blocker {
  /** 0: a prepared transaction, which has no session. */
  readonly pid: number
  readonly user: string | null
  readonly application: string | null
  /** `active`, `idle in transaction` …; null where the role that asks may not see it. */
  readonly state: string | null
  /** Seconds since its transaction began. */
  readonly age: number | null
}

interface Seen {
  readonly wants: string | null
  readonly blockers: readonly Blocker[]
}

/** Locks could not be had; everything is as it was. */
export class LocksHeldError extends Error {
  readonly fix: string
  readonly blockers: readonly Blocker[]
  constructor({ wants, blockers }: Seen, waitedMs: number, cause: unknown) {
    const who = blockers.length === 0 ? 'sessions that could not be seen' : blockers.map(described).join('; ')
    super(
      `${wants ?? 'A table'} is in use, and ${Math.round(waitedMs / 1000)} s of trying gave no moment to change it. Nothing was changed. In the way: ${who}.`,
      { cause },
    )
    this.name = 'LocksHeldError'
    this.blockers = blockers
    const pids = blockers.filter(({ pid }) => pid > 0).map(({ pid }) => `select pg_terminate_backend(${pid});`)
    this.fix = `Let them end${pids.length === 0 ? '' : `, or end them (${pids.join(' ')})`}, then migrate again. Processes that serve went on meanwhile.`
  }
}

function described({ pid, user, application, state, age }: Blocker): string {
  if (pid === 0) return 'a prepared transaction (pg_prepared_xacts)'
  const does =
    state === null ? 'state and age are for pg_read_all_stats to see' : `${state}${age === null ? '' : `, for ${Math.round(age)} s`}`
  return `pid ${pid} (${application === null || application === '' ? 'no application name' : application}, user ${user ?? 'unknown'}): ${does}`
}

/** Looks, from a connection of its own, who is in the way of `pid`. */
class Lookout {
  seen: Seen = { wants: null, blockers: [] }
  private readonly client: WatchedClient
  private constructor(client: WatchedClient) {
    this.client = client
  }
  static async open(url: string): Promise<Lookout> {
    return new Lookout(await openClient({ connectionString: url, application_name: 'work-manager migrate' }))
  }
  /** Until `signal`; what was seen last is kept. */
  async watch(pid: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { rows } = await this.client.query<Blocker & { wants: string | null }>(
        `select b.pid, a.usename::text as user, a.application_name as application, a.state,
                extract(epoch from clock_timestamp() - a.xact_start)::float8 as age,
                (select min(l.relation::regclass::text) from pg_locks l where l.pid = $1 and not l.granted) as wants
           from (select distinct unnest(pg_blocking_pids($1)) as pid) b left join pg_stat_activity a on a.pid = b.pid
          order by a.xact_start nulls last, b.pid`,
        [pid],
      )
      if (rows.length > 0)
        this.seen = {
          wants: rows[0]!.wants,
          blockers: rows.map(({ pid: each, user, application, state, age }) => ({ pid: each, user, application, state, age })),
        }
      await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
    }
  }
  close(): Promise<void> {
    return this.client.end()
  }
}

/**
 * Runs `change` in a transaction whose locks wait for a moment only, again and again until it is through. `first` runs at its begin, and
 * may wait for as long as it takes. `say` hears once that somebody is in the way, and who.
 * Refuses with: LocksHeldError, and whatever `change` throws.
 */
export async function changeWhileInUse<T>(
  client: WatchedClient,
  options: { url: string; patienceMs: number; first: string; say: (sentence: string) => void },
  change: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const began = performance.now()
  let lookout: Lookout | undefined
  let told = false
  try {
    for (let tries = 1; ; tries++) {
      const over = new AbortController()
      let watching: Promise<void> | undefined
      try {
        await client.query('begin')
        const { rows } = await client.query<{ pid: number }>(`select pg_backend_pid() as pid, ${ownLimits}`)
        await client.query(options.first)
        await client.query(`select set_config('lock_timeout', '${lockWithinMs}', true)`)
        // What keeps us from saying who is in the way does not keep us from trying.
        watching = lookout?.watch(rows[0]!.pid, over.signal).catch(() => {})
        const done = await change(client)
        await client.query('commit')
        return done
      } catch (error) {
        await client.query('rollback').catch(() => {})
        const waitedMs = performance.now() - began
        if (!isRetryable(error)) throw error
        if (waitedMs >= options.patienceMs && tries >= fewestTries)
          throw new LocksHeldError(lookout?.seen ?? { wants: null, blockers: [] }, waitedMs, error)
      } finally {
        over.abort()
        await watching
      }
      if (lookout && !told && lookout.seen.blockers.length > 0) {
        told = true
        const { wants, blockers } = lookout.seen
        options.say(`${wants ?? 'A table'} is in use; trying again until it is free. In the way: ${blockers.map(described).join('; ')}.`)
      }
      lookout ??= await Lookout.open(options.url)
      await sleep(Math.random() * 2 * pauseMs)
    }
  } finally {
    await lookout?.close()
  }
}
