/** The drivers by the name that `metrics.driver` takes. A new one is one file and one line here. */
import type { DriverFactory } from '../metrics.ts'
import { log } from './log.ts'
import { none } from './none.ts'
import { otel } from './otel.ts'
import { prometheus } from './prometheus.ts'
import { statsd } from './statsd.ts'

export const metricsDrivers = { prometheus, log, otel, statsd, null: none } as const satisfies Record<string, DriverFactory>
export type MetricsDriverName = keyof typeof metricsDrivers
