/**
 * Every setting of the product, once: name, type, range, default, meaning. The environment names, the checks, the file format and
 * docs/config.md come from this schema. A setting is listed here only when something reads it.
 *
 * Beside the JSON Schema words each setting may carry `env` (older or shorter spellings of its variable), `accepts` (the range in
 * words, where the schema's own words would not help) and `secret` (the value is never shown).
 */
import Type, { type Static } from 'typebox'
import { publishersSection } from './sections/publishers.ts'
import { rateLimitsSection } from './sections/rate-limits.ts'
import { serverSection, databaseSection, backgroundSection, redisSection, cacheSection } from './sections/serving.ts'
import {
  leaseSection,
  checkoutSection,
  proposeSection,
  retrySection,
  partialsSection,
  approvalSection,
  idempotencySection,
  maintenanceSection,
  orderTypesSection,
  guardSection,
} from './sections/work.ts'
import { querySection, provenanceSection } from './sections/reading.ts'
import { tracingSection, metricsSection } from './sections/observing.ts'

export const ConfigSchema = Type.Object({
  server: serverSection,
  database: databaseSection,
  lease: leaseSection,
  retry: retrySection,
  idempotency: idempotencySection,
  partials: partialsSection,
  approval: approvalSection,
  maintenance: maintenanceSection,
  query: querySection,
  checkout: checkoutSection,
  propose: proposeSection,
  provenance: provenanceSection,
  order_types: orderTypesSection,
  guard: guardSection,
  redis: redisSection,
  cache: cacheSection,
  rate_limits: rateLimitsSection,
  tracing: tracingSection,
  metrics: metricsSection,
  publishers: publishersSection,
  background: backgroundSection,
})

type Frozen<T> = T extends readonly (infer E)[] ? readonly Frozen<E>[] : T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T
type PartialDeep<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [K in keyof T]?: PartialDeep<T[K]> } : T

/** All settings, checked and frozen. */
export type Config = Frozen<Static<typeof ConfigSchema>>
/** What a configuration file may say: any part of it. */
export type ConfigInput = PartialDeep<Config>

/** For `work-manager.config.ts`: gives the editor the names and types. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config
}
