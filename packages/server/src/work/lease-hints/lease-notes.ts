/** Heartbeats that Redis answers: notes of leases that the database has confirmed, and who may be answered from them. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Metrics } from '../../metrics/metrics.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import { runScript } from '../../redis/script.ts'
import type { Asking } from './asking.ts'
import { type DatabaseClock, instantOf, microsOf, ticks } from './database-clock.ts'
import type { Heartbeat, LeaseHints } from './lease-hints.ts'
import { absorbScript, dropScript, noteScript } from './lease-notes-scripts.ts'

export type LeaseNotes = Pick<LeaseHints, 'granted' | 'absorb' | 'judged' | 'changed'>

const rememberedMs = 10_000

export function createLeaseNotes(tools: {
  readonly redis: RedisConnection
  readonly ask: Asking
  readonly clock: DatabaseClock
  readonly metrics: Metrics
  /** Known to the processes on this database, and to nobody who only reaches Redis. */
  readonly secret: string
  /** Called when heartbeats wait to be written behind. */
  onAbsorbed(): void
}): LeaseNotes & { readonly dirtyKey: string } {
  const { redis, ask, clock, metrics } = tools
  const dirtyKey = redis.key('lease', 'dirty')
  const noteOf = (tenantId: string, itemId: string): string => redis.key('lease', tenantId, itemId)
  /** Leased by this process, no heartbeat yet: there can be no note, so Redis is not asked. */
  const untouched = new LRUCache<string, true>({ max: 20_000 })
  /** When leases changed that this process knows of: a judgement that was under way then is no longer news. */
  const changedAt = new LRUCache<string, number>({ max: 20_000, ttl: rememberedMs })

  /** Of what the database confirmed, all of it: a note that says anything else was not written by one of us. */
  const sign = (who: Omit<Heartbeat, 'token'>, confirmed: readonly string[]): string =>
    createHmac('sha256', tools.secret)
      .update(JSON.stringify([who.tenantId, who.itemId, who.agentId, who.principal, ...confirmed]))
      .digest('base64url')

  /** The end that a note promises, where it is one of ours. Never later than a lease from now lasts, whatever it says. */
  function believed(request: Heartbeat, told: unknown, latest: number): number | null {
    if (typeof told !== 'string') return null
    const [end, token, bare, ttl, until, signature] = told.split('\n')
    if (signature === undefined || !/^\d{1,16}$/.test(end!)) return null
    const ours = Buffer.from(sign(request, [token!, bare!, ttl!, until!]))
    const theirs = Buffer.from(signature)
    if (ours.length !== theirs.length || !timingSafeEqual(ours, theirs)) return null
    return Math.min(Number(end), latest + Number(ttl))
  }

  return {
    dirtyKey,

    granted(tenantId, itemIds) {
      for (const id of itemIds) untouched.set(noteOf(tenantId, id), true)
    },

    async absorb(requests) {
      const answers: Array<string | null> = requests.map(() => null)
      const count = (outcome: string, by: number): void => void (by > 0 && metrics.increment('heartbeats_absorbed_total', { outcome }, by))
      const notes = requests.map((request) => noteOf(request.tenantId, request.itemId))
      const asked = requests.map((_, n) => n).filter((n) => !untouched.has(notes[n]!))
      count('first', requests.length - asked.length)
      const now = clock.now()
      if (asked.length === 0) return answers
      const told =
        now === null
          ? null
          : await ask((client) =>
              runScript<string[]>(
                client,
                absorbScript,
                [dirtyKey, ...asked.map((n) => notes[n]!)],
                [
                  String(now.earliest),
                  String(now.latest),
                  ...asked.flatMap((n) => [requests[n]!.token ?? '', requests[n]!.agentId, requests[n]!.principal]),
                ],
              ),
            )
      if (told === null) {
        count(now === null ? 'unknown' : 'down', asked.length)
        return answers
      }
      asked.forEach((n, place) => {
        const end = believed(requests[n]!, told[place], now!.latest)
        if (end !== null) answers[n] = instantOf(end)
      })
      const absorbed = answers.filter((answer) => answer !== null).length
      const near = told.filter((one) => one === 'near').length
      count('absorbed', absorbed)
      count('near', near)
      count('unknown', told.length - absorbed - near)
      if (absorbed > 0) tools.onAbsorbed()
      return answers
    },

    judged(verdicts, sentAt) {
      if (verdicts.length === 0) return
      clock.saw(verdicts[0]!.decidedAt, sentAt)
      for (const { request } of verdicts) untouched.delete(noteOf(request.tenantId, request.itemId))
      const current = verdicts.filter(({ request }) => (changedAt.get(noteOf(request.tenantId, request.itemId)) ?? -1) < sentAt)
      const kept = current.filter((verdict) => verdict.held && !verdict.recordsEach)
      const refused = current.filter((verdict) => !verdict.held)
      if (kept.length > 0)
        void ask((client) =>
          runScript(
            client,
            noteScript,
            kept.map(({ request }) => noteOf(request.tenantId, request.itemId)),
            kept.flatMap((verdict) => {
              const until = microsOf(verdict.expiresAt!)
              const { tenantId, itemId } = verdict.request
              const bare = verdict.requiresToken ? '0' : '1'
              const ttl = String(verdict.ttlSeconds * 1_000_000)
              const who = { tenantId, itemId, agentId: verdict.agentId!, principal: verdict.principal! }
              return [
                verdict.token!,
                verdict.agentId!,
                verdict.principal!,
                bare,
                ttl,
                String(until),
                String(Math.max(1, Math.floor((until - microsOf(verdict.decidedAt)) / 1000))),
                tenantId,
                itemId,
                sign(who, [verdict.token!, bare, ttl, String(until)]),
              ]
            }),
          ),
        )
      if (refused.length > 0)
        void ask((client) =>
          runScript(
            client,
            dropScript,
            refused.map(({ request }) => noteOf(request.tenantId, request.itemId)),
            refused.map(({ token, expiresAt, decidedAt }) => (token !== null && expiresAt !== null && decidedAt <= expiresAt ? token : '')),
          ),
        )
    },

    async changed(tenantId, itemIds) {
      const notes = itemIds.map((id) => noteOf(tenantId, id))
      const at = ticks()
      for (const note of notes) {
        changedAt.set(note, at)
        untouched.delete(note)
      }
      await ask((client) => client.del(notes))
    },
  }
}
