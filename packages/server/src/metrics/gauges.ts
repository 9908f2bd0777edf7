/**
 * Gauges that are read, not told: what waits, what is held, what lags. Read before each scrape or sending, at most every few seconds,
 * so that many scrapers cost one query; a database that does not answer leaves them unknown and never delays a scrape for long.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Metrics } from './metrics.ts'

/** What one cheap query over the whole database says; the same in every process. */
export interface WorkCounts {
  readonly queued: Readonly<Record<string, number>>
  readonly leased: Readonly<Record<string, number>>
  readonly pauses: Readonly<Record<string, number>>
  readonly unsequenced: number
  readonly ledgerLagSeconds: number
}

export interface PoolUse {
  readonly used: number
  readonly idle: number
  readonly waiting: number
}

export interface GaugeSources {
  counts(): Promise<WorkCounts>
  pools(): Readonly<Record<string, PoolUse>>
  /** Null when none is configured. */
  redisUp(): boolean | null
}

const keptMs = 3_000
const longestReadMs = 2_000

export function createGauges(metrics: Metrics, sources: GaugeSources): { refresh(): Promise<void>; close(): void } {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  /** Labels that had a value once: those that the query does not name any more are 0. */
  const known = { queue_depth: new Set<string>(), leases_active: new Set<string>(), paused: new Set<string>() }
  let reading: Promise<void> | null = null
  let readAt = Number.NEGATIVE_INFINITY

  function setAll(name: 'queue_depth' | 'leases_active', counts: Readonly<Record<string, number>> | null): void {
    for (const type of Object.keys(counts ?? {})) known[name].add(type)
    for (const type of known[name]) metrics.set(name, { type }, counts ? (counts[type] ?? 0) : Number.NaN)
  }
  function tell(counts: WorkCounts | null): void {
    metrics.set('database_up', {}, counts ? 1 : 0)
    setAll('queue_depth', counts?.queued ?? null)
    setAll('leases_active', counts?.leased ?? null)
    for (const scope of Object.keys(counts?.pauses ?? {})) known.paused.add(scope)
    for (const scope of known.paused) metrics.set('paused', { scope }, counts ? (counts.pauses[scope] ?? 0) : Number.NaN)
    metrics.set('facts_unsequenced', {}, counts?.unsequenced ?? Number.NaN)
    metrics.set('ledger_lag_seconds', {}, counts?.ledgerLagSeconds ?? Number.NaN)
  }

  async function read(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const tooLong = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), longestReadMs)))
    // An answer that comes later than that is thrown away; the next look asks again.
    const counts = await Promise.race([sources.counts().catch(() => null), tooLong])
    clearTimeout(timer)
    tell(counts)
    readAt = performance.now()
  }

  return {
    async refresh() {
      for (const [pool, { used, idle, waiting }] of Object.entries(sources.pools())) {
        metrics.set('database_connections', { pool, state: 'used' }, used)
        metrics.set('database_connections', { pool, state: 'idle' }, idle)
        metrics.set('database_connections', { pool, state: 'waiting' }, waiting)
      }
      const up = sources.redisUp()
      if (up !== null) metrics.set('redis_up', {}, up ? 1 : 0)
      // The timer of the measurement itself takes 10 ms.
      metrics.set('event_loop_lag_seconds', {}, Math.max(0, delay.percentile(99) / 1e9 - 0.01) || 0)
      delay.reset()
      if (performance.now() - readAt < keptMs) return
      reading ??= read().finally(() => (reading = null))
      await reading
    },
    close: () => void delay.disable(),
  }
}
