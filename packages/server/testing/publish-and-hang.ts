/** A process that hands one batch to a receiver and then stands still, before it writes down what it did: for kill -9 at the worst moment. */
import { pino } from 'pino'
import { publisherDrivers } from '../src/ledger/publishers/drivers/index.ts'
import { createRelay } from '../src/ledger/publishers/relay.ts'
import { nullMetrics } from '../src/metrics/metrics.ts'
import { openDatabase } from '../src/kernel/store/database.ts'
import type { StagePublisher } from './publisher-stage.ts'

process.once('message', (message) => {
  const { url, publisher, name } = message as { url: string; publisher: StagePublisher; name: string }
  const store = openDatabase({ url, maxConnections: 8, onError: () => {} })
  const create = () => {
    const real = publisherDrivers[publisher.driver].create(publisher.settings)
    return {
      ...real,
      async publish(messages: Parameters<typeof real.publish>[0]) {
        await real.publish(messages)
        process.send!('published')
        return new Promise<never>(() => {})
      },
    }
  }
  const relay = createRelay(
    create,
    { name, source: 'urn:test', kinds: ['*'], batchSize: 50, maxTries: 3, timeoutMs: 60_000 },
    { system: store.system, metrics: nullMetrics, log: pino({ level: 'silent' }) },
  )
  relay.run().catch((error: unknown) => process.send!(String(error)))
})
