/** The background services, by name. A new one is one file and one line here. */
import type { Authenticator } from '../auth/authenticate.ts'
import type { Config } from '../config/index.ts'
import { createSequencer } from '../ledger/sequencer.ts'
import type { Services } from '../operations/services.ts'
import { topics } from '../signals/work-signal.ts'
import { applier } from './applier.ts'
import { autoApprover } from './auto-approver.ts'
import { cacheInvalidator } from './cache-invalidator.ts'
import { deadLetterer } from './dead-letterer.ts'
import { effectRunner } from './effect-runner.ts'
import { generatorRunner } from './generator-runner.ts'
import { idempotencyPruner, partitionKeeper } from './idempotency-pruner.ts'
import { leaseReclaimer } from './lease-reclaimer.ts'
import { publisherServices } from './publishers.ts'
import { retryScheduler } from './retry-scheduler.ts'
import { type BackgroundService, createService, type ServiceDefinition } from './service.ts'
import { statisticsKeeper } from './statistics-keeper.ts'
import { staleOrderAlert } from './stale-order-alert.ts'

export function createBackgroundServices(
  services: Services,
  config: Config,
  authenticator: Pick<Authenticator, 'forgetAll'>,
): Record<string, BackgroundService> {
  const { run } = createSequencer(services.system, services.metrics)
  const numbering: typeof run = async () => {
    const pass = await run()
    if (pass.done > 0) services.signal.wake(topics.numbered)
    return pass
  }
  const sequencer: ServiceDefinition = { name: 'sequencer', everyMs: 50, wakeOn: [topics.facts], run: numbering }
  const definitions = [
    leaseReclaimer(services, config.maintenance.reclaim_every_ms),
    retryScheduler(services),
    deadLetterer(services, config.maintenance.dead_letter_after_hours),
    staleOrderAlert(services, {
      thresholdHours: config.maintenance.stale_order_threshold_hours,
      logAlerts: config.maintenance.enable_alerts,
    }),
    generatorRunner(services),
    autoApprover(services),
    applier(services),
    effectRunner(services),
    sequencer,
    cacheInvalidator(services, authenticator),
    idempotencyPruner(services),
    partitionKeeper(services),
    statisticsKeeper(services),
    ...publisherServices(services, config),
  ]
  return Object.fromEntries(definitions.map((definition) => [definition.name, createService(definition, services)]))
}
