/** A database with tenants, events and cursors for tests of publishers: events are written and numbered by hand, relays run by hand. */
import type { PublisherDriver } from '@work-manager/contract'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import sql from 'sql-template-tag'
import { uuidv7 } from 'uuidv7'
import { publisherDrivers } from '../src/ledger/publishers/drivers/index.ts'
import type { Publisher, PublisherSettings } from '../src/ledger/publishers/publisher.ts'
import { createRelay, type Relay, type RelaySettings } from '../src/ledger/publishers/relay.ts'
import { createSequencer } from '../src/ledger/sequencer.ts'
import type { Metrics } from '../src/metrics/metrics.ts'
import { nullMetrics } from '../src/metrics/metrics.ts'
import { type Database, openDatabase } from '../src/kernel/store/database.ts'
import { appendEvents, type NewEvent, systemActor } from '../src/kernel/store/events.ts'
import { measureLag } from '../src/ledger/publishers/cursors.store.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'
import { until } from './test-server.ts'

export const someSettings: PublisherSettings = {
  timeoutMs: 3_000,
  file: { path: '/nowhere/events.ndjson' },
  redis: { url: 'redis://127.0.0.1:1', stream: 'events' },
  nats: { url: 'nats://127.0.0.1:1', subject: 'wm', stream: 'WM', createStream: true },
  rabbitmq: { url: 'amqp://127.0.0.1:1', exchange: 'wm', mandatory: true },
  kafka: { brokers: ['127.0.0.1:1'], topic: 'wm', tls: false, username: undefined, password: undefined },
  sqs: { queueUrl: 'http://127.0.0.1:1/000000000000/wm.fifo' },
  sns: { topicArn: 'arn:aws:sns:us-east-1:000000000000:wm.fifo' },
  aws: { region: 'us-east-1', endpoint: undefined },
}

export interface StagePublisher {
  readonly driver: PublisherDriver
  readonly settings: PublisherSettings
}

export interface Stage {
  readonly database: TestDatabase
  readonly store: Database
  tenant(): Promise<string>
  /** Commits the events and gives them their numbers. */
  write(tenant: string, ...events: NewEvent[]): Promise<void>
  relay(publisher: StagePublisher | (() => Publisher), settings?: Partial<RelaySettings>, metrics?: Metrics): Relay
  /** Runs until every event is over; the bound is for a receiver that never takes them. */
  drain(relay: Relay, name: string): Promise<void>
  cursor(tenant: string, name: string): Promise<Record<string, unknown> | undefined>
  parked(tenant: string, name: string): Promise<Array<Record<string, unknown>>>
  state(name: string): Promise<{ connected: boolean; error_code: string | null; error: string | null } | undefined>
  /** A process that publishes one batch and never writes it down; resolves when the receiver has it. End it with kill. */
  publisherProcess(publisher: StagePublisher, name: string): Promise<ChildProcess>
  /** Ids and sequences of the tenant's events, from the ledger itself. */
  ledger(tenant: string): Promise<Array<{ id: string; seq: number; order_id: string | null; root_id: string | null; kind: string }>>
  stop(): Promise<void>
}

export async function openStage(): Promise<Stage> {
  const database = await createTestDatabase()
  const store = openDatabase({ url: database.runtimeUrl, maxConnections: 16, onError: () => {} })
  const relays: Relay[] = []
  const children: ChildProcess[] = []
  const log = pino({ level: process.env.TEST_LOG ?? 'silent' })
  return {
    database,
    store,
    async tenant() {
      const id = uuidv7()
      await database.sql('insert into wm.tenants (id, slug, name) values ($1, $2, $2)', [id, `t-${id}`])
      return id
    },
    async write(tenant, ...events) {
      await store.app.transaction(tenant, async (tx) => appendEvents(tx, systemActor('test'), await tx.clock(), events))
      await createSequencer(store.system, nullMetrics).sweep()
    },
    relay(publisher, settings = {}, metrics = nullMetrics) {
      const made = createRelay(
        typeof publisher === 'function' ? publisher : () => publisherDrivers[publisher.driver].create(publisher.settings),
        {
          name: typeof publisher === 'function' ? 'test' : publisher.driver,
          source: 'urn:test',
          kinds: ['*'],
          batchSize: 50,
          maxTries: 3,
          timeoutMs: typeof publisher === 'function' ? 3_000 : publisher.settings.timeoutMs,
          backoff: { baseMs: 10, mostMs: 100 },
          ...settings,
        },
        { system: store.system, metrics, log },
      )
      relays.push(made)
      return made
    },
    async drain(relay, name) {
      await until(
        async () => {
          while ((await relay.run()).more) continue
          return (await measureLag(store.system, name)) === 0
        },
        `${name} has published everything`,
        25_000,
      )
    },
    async cursor(tenant, name) {
      const [row] = await database.sql(
        'select seq::int, ahead, failures, last_error from wm.publisher_cursors where tenant_id = $1 and publisher = $2',
        [tenant, name],
      )
      return row
    },
    parked: (tenant, name) =>
      database.sql(
        'select seq::int, state, reason, tries, kind, order_id from wm.parked_messages where tenant_id = $1 and publisher = $2 order by seq',
        [tenant, name],
      ),
    async state(name) {
      const [row] = await store.system.query<{ connected: boolean; error_code: string | null; error: string | null }>(
        sql`select connected, error_code, error from wm.publisher_states where publisher = ${name}`,
      )
      return row
    },
    async publisherProcess(publisher, name) {
      const child = fork(fileURLToPath(new URL('publish-and-hang.ts', import.meta.url)), [], { stdio: 'inherit', execArgv: [] })
      children.push(child)
      child.send({ url: database.runtimeUrl, publisher, name })
      const [said] = await once(child, 'message')
      if (said !== 'published') throw new Error(`the publishing process said ${String(said)}`)
      return child
    },
    ledger: (tenant) =>
      database.sql(
        `select e.id, e.seq::int as seq, e.order_id, e.root_id, e.kind from record e
          where e.tenant_id = $1 and e.seq is not null order by e.seq`,
        [tenant],
      ),
    async stop() {
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(relays.map((relay) => relay.stop()))
      await store.close()
      await database.drop()
    },
  }
}

/** Frees cursors whose holder is gone, without waiting for the end of its time. */
export async function expireCursorLeases(stage: Stage): Promise<void> {
  await stage.database.sql(
    `update wm.publisher_cursors set lease_expires_at = clock_timestamp() - interval '1 second' where lease_expires_at is not null`,
  )
}

export const orderEvent = (orderId: string, more: Partial<NewEvent> = {}): NewEvent => ({
  kind: 'order.stale',
  subjectId: orderId,
  rootId: orderId,
  message: 'an event',
  ...more,
})
