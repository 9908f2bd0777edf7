/** The background services, by name. A new one is one file and one line here. */
import type { Authenticator } from '../access/authenticate.ts'
import type { Config } from '../config/index.ts'
import type { Sequencer } from '../ledger/sequencer.ts'
import type { Tools } from '../systems.ts'
import { topics } from '../kernel/signals/work-signal.ts'
import { applier } from '../work/applying/applier.ts'
import { autoApprover } from '../work/approvals/auto-approver.ts'
import { cacheInvalidator } from '../ledger/cache-invalidator.ts'
import { deadLetterer } from '../work/items/dead-letterer.ts'
import { effectRunner } from '../work/effects/effect-runner.ts'
import { generatorRunner } from '../work/generators/generator-runner.ts'
import { idempotencyPruner } from '../housekeeping/idempotency-pruner.ts'
import { partitionKeeper } from '../housekeeping/partition-keeper.ts'
import { leaseReclaimer } from '../work/leases/lease-reclaimer.ts'
import { publisherServices } from '../ledger/publishers/services.ts'
import { retryScheduler } from '../work/items/retry-scheduler.ts'
import { type BackgroundService, createService, type ServiceDefinition } from '../kernel/service.ts'
import { statisticsKeeper } from '../housekeeping/statistics-keeper.ts'
import { staleOrderAlert } from '../work/orders/stale-order-alert.ts'

export function createBackgroundServices(
  tools: Tools,
  sequencing: Pick<Sequencer, 'run'>,
  config: Config,
  authenticator: Pick<Authenticator, 'forgetAll'>,
): Record<string, BackgroundService> {
  const sequencer: ServiceDefinition = { name: 'sequencer', everyMs: 50, wakeOn: [topics.facts], run: sequencing.run }
  const definitions = [
    leaseReclaimer(tools, config.maintenance.reclaim_every_ms),
    retryScheduler(tools),
    deadLetterer(tools, config.maintenance.dead_letter_after_hours),
    staleOrderAlert(tools, {
      thresholdHours: config.maintenance.stale_order_threshold_hours,
      logAlerts: config.maintenance.enable_alerts,
    }),
    generatorRunner(tools),
    autoApprover(tools),
    applier(tools),
    effectRunner(tools),
    sequencer,
    cacheInvalidator(tools, authenticator),
    idempotencyPruner(tools),
    partitionKeeper(tools),
    statisticsKeeper(tools),
    ...publisherServices(tools, config),
  ]
  return Object.fromEntries(definitions.map((definition) => [definition.name, createService(definition, tools)]))
}
