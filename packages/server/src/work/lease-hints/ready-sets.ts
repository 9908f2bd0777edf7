/**
 * Where ready items are, so that processes do not all reach for the head of the queue: each is given other ids. A set is an answer of the
 * database that is at most a second old and older than no wake-up that reached Redis; without one, the normal path looks by itself.
 */
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import type { Metrics } from '../../metrics/metrics.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import { runScript } from '../../redis/script.ts'
import { uuidPattern } from '../../kernel/uuid.ts'
import { findReadyItems } from './ready-items.store.ts'
import type { Db } from '../../kernel/store/tx.ts'
import type { Asking } from './asking.ts'
import { type DatabaseClock, microsOf, ticks } from './database-clock.ts'
import type { LeaseHints } from './lease-hints.ts'
import { fillScript, takeScript, wakeScript } from './ready-sets-scripts.ts'

export type ReadySets = Pick<LeaseHints, 'take' | 'tried' | 'readied'>

/** Ids that one question brings. */
const headLength = 256
/**
 * How long an answer counts: so much later at most do processes that tell Redis nothing (lease.backend = database) get their urgent items in
 * front. A taken id that was not leased (its order was in use, a limit was reached) is given out again after as long.
 */
const usualFreshMs = 1_000
/** Wake-ups may come faster than questions are worth: between two of them the normal path is as good. */
const restMicros = 50_000
const turnMs = 1_000
const wrongRestMs = 1_000
/** Older than anything: the set is not fresh, and asking tells the time. */
const unknownTime = Number.MAX_SAFE_INTEGER

/** Anybody who reaches Redis can write there: what is no id is no hint. */
function idsAmong(told: readonly unknown[], wanted: number): string[] | null {
  const ids = told.filter((one): one is string => typeof one === 'string' && uuidPattern.test(one)).slice(0, wanted)
  return ids.length > 0 ? ids : null
}

export function createReadySets(tools: {
  readonly redis: RedisConnection
  readonly ask: Asking
  readonly clock: DatabaseClock
  readonly db: Db
  readonly metrics: Metrics
  readonly log: Logger
  readonly freshMs?: number
}): ReadySets {
  const freshMicros = (tools.freshMs ?? usualFreshMs) * 1000
  const { redis, ask, clock, db, metrics, log } = tools
  const keysOf = (tenantId: string, type: string | null): string[] => {
    const set = type === null ? [tenantId] : [tenantId, type]
    return [
      redis.key('ready', ...set),
      redis.key('ready-about', ...set),
      redis.key('ready-wakes', tenantId),
      redis.key('ready-taken', tenantId),
      redis.key('ready-turn', ...set),
    ]
  }
  /** Sets whose ids could not be leased a moment ago (all of a type that is at its limit, say): until when they are left alone. */
  const wrong = new LRUCache<string, true>({ max: 10_000, ttl: wrongRestMs })
  /** Tenants whose wake-up is on its way to Redis, and whether another came meanwhile. */
  const telling = new Map<string, boolean>()

  async function tell(tenantId: string): Promise<void> {
    const wakes = redis.key('ready-wakes', tenantId)
    do {
      telling.set(tenantId, false)
      await ask((client) => runScript(client, wakeScript, [wakes], [String(Math.floor(Math.random() * 2 ** 40))]))
    } while (telling.get(tenantId))
    telling.delete(tenantId)
  }

  async function fill(
    keys: readonly string[],
    tenantId: string,
    type: string | null,
    wanted: number,
    wakes: string,
  ): Promise<string[] | null> {
    const sentAt = ticks()
    const { at, items } = await db.read(tenantId, (q) => findReadyItems(q, type, headLength))
    clock.saw(at, sentAt)
    return ask((client) =>
      runScript<string[]>(client, fillScript, keys, [
        String(wanted),
        String(microsOf(at)),
        wakes,
        items.length < headLength ? '1' : '0',
        String(freshMicros),
        ...items.flatMap((item) => [String(microsOf(item.due_at)), item.id]),
      ]),
    )
  }

  return {
    async take(tenantId, type, wanted) {
      const keys = keysOf(tenantId, type)
      // A wake-up that is under way counts: whoever was told that an item is there is not sent past it.
      if (telling.has(tenantId) || wrong.has(keys[0]!)) return null
      const now = clock.now()?.earliest ?? unknownTime
      const told = await ask((client) =>
        runScript<string[]>(client, takeScript, keys, [wanted, now, freshMicros, restMicros, turnMs].map(String)),
      )
      if (!Array.isArray(told)) return null
      if (told[0] === 'given') return idsAmong(told.slice(1), wanted)
      if (told[0] !== 'ask') return null
      try {
        const ids = await fill(keys, tenantId, type, wanted, told[1]!)
        return Array.isArray(ids) ? idsAmong(ids, wanted) : null
      } catch (error) {
        // The checkout itself asks the database next, and tells its caller.
        log.debug({ component: 'leases', err: error }, 'the head of the queue could not be read for a hint')
        return null
      }
    },

    tried(tenantId, type, { asked, given, granted }) {
      const count = (outcome: string, by: number): void => void (by > 0 && metrics.increment('lease_hints_total', { outcome }, by))
      const used = Math.min(asked, given)
      count('granted', Math.min(used, granted))
      count('wrong', used - Math.min(used, granted))
      count(redis.isUp() ? 'none' : 'down', asked - used)
      if (given > 0 && granted === 0) wrong.set(keysOf(tenantId, type)[0]!, true)
    },

    readied(tenantId) {
      if (telling.has(tenantId)) telling.set(tenantId, true)
      else void tell(tenantId)
    },
  }
}
