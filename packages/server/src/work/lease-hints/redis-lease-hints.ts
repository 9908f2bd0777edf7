/** `lease.backend = redis`: the parts put together. What losing Redis means is in docs/redis.md; why it is only hints, in docs/decisions/0014. */
import type { Logger } from 'pino'
import type { Metrics } from '../../metrics/metrics.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import type { Db } from '../../kernel/store/tx.ts'
import { createAsking } from './asking.ts'
import { createDatabaseClock } from './database-clock.ts'
import type { LeaseHints } from './lease-hints.ts'
import { createLeaseNotes } from './lease-notes.ts'
import { createReadySets } from './ready-sets.ts'
import { createWriteBehind } from './write-behind.ts'

export interface RedisLeaseHints extends LeaseHints {
  /** Writes absorbed heartbeats behind now; returns how many leases were written. */
  flush(): Promise<number>
}

export function createRedisLeaseHints(tools: {
  readonly redis: RedisConnection
  readonly db: Db
  readonly log: Logger
  readonly metrics: Metrics
  /** Known to the processes on this database alone. */
  readonly secret: string
  /** How long hints on ready items count; a second unless said otherwise. */
  readonly freshMs?: number
}): RedisLeaseHints {
  const { redis, db, log, metrics, secret } = tools
  const ask = createAsking(redis, log)
  const clock = createDatabaseClock()
  const notes = createLeaseNotes({ redis, ask, clock, metrics, secret, onAbsorbed: () => behind.wake() })
  const behind = createWriteBehind({ ask, dirtyKey: notes.dirtyKey, log })
  const { take, tried, readied } = createReadySets({
    redis,
    ask,
    clock,
    db,
    metrics,
    log,
    ...(tools.freshMs === undefined ? {} : { freshMs: tools.freshMs }),
  })
  const { granted, absorb, judged, changed } = notes
  return { take, tried, readied, granted, absorb, judged, changed, start: behind.start, flush: behind.flush, stop: behind.stop }
}
