/** Metrics off. */
import { type MetricsDriver, nullMetrics } from '../metrics.ts'

export const none = (): MetricsDriver => ({ ...nullMetrics, async flush() {}, async close() {} })
