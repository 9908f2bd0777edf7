/** What drivers that push have in common: a timer that never overlaps, never throws and never keeps the process alive. */
import type { Logger } from 'pino'

export interface Pushing {
  flush(): Promise<void>
  /** Stops the timer; sends what is left. */
  close(): Promise<void>
}

/** Longest wait for the last sending when the server stops. */
const lastFlushMs = 3_000

export function pushEvery(ms: number, send: () => Promise<void>, log: Logger): Pushing {
  let running: Promise<void> | null = null
  const flush = (): Promise<void> => {
    running ??= send()
      .catch((error: unknown) => log.warn({ component: 'metrics', err: error }, 'metrics could not be sent'))
      .finally(() => (running = null))
    return running
  }
  const timer = setInterval(() => void flush(), ms)
  timer.unref()
  return {
    flush,
    async close() {
      clearInterval(timer)
      await running
      let limit: NodeJS.Timeout | undefined
      await Promise.race([flush(), new Promise((resolve) => (limit = setTimeout(resolve, lastFlushMs)))])
      clearTimeout(limit)
    },
  }
}

/** Says once that the receiver is away, and once that it is back, however many samples go past it. */
export function receiverState(log: Logger, driver: string, where: string): (error: Error | null) => void {
  let away = false
  return (error) => {
    if (error !== null && !away)
      log.warn({ component: 'metrics', driver, reason: error.message }, `the receiver of metrics at ${where} does not take them`)
    if (error === null && away) log.info({ component: 'metrics', driver }, `the receiver of metrics at ${where} is back`)
    away = error !== null
  }
}
