/** What every publisher must do, against its real receiver. A new driver brings a rig and inherits the proof. */
import Type from 'typebox'
import Value from 'typebox/value'
import { uuidv7 } from 'uuidv7'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expireCursorLeases, openStage, orderEvent, type Stage, type StagePublisher } from './publisher-stage.ts'
import { until } from './test-server.ts'

/** Structured CloudEvents 1.0 with the extensions that docs/publishers.md names. */
export const CloudEvent = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: Type.String({ pattern: '^[0-9a-f-]{36}$' }),
    source: Type.String({ minLength: 1 }),
    type: Type.String({ pattern: String.raw`^dev\.workmanager\.[a-z_]+\.[a-z_]+\.v1$` }),
    subject: Type.Optional(Type.String({ minLength: 1 })),
    time: Type.String({ pattern: String.raw`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$` }),
    datacontenttype: Type.Literal('application/json'),
    sequence: Type.String({ pattern: String.raw`^\d{19}$` }),
    partitionkey: Type.String({ pattern: '^[0-9a-f-]{36}$' }),
    correlationid: Type.Optional(Type.String({ minLength: 1 })),
    traceparent: Type.Optional(Type.String({ pattern: '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' })),
    tenantid: Type.String({ pattern: '^[0-9a-f-]{36}$' }),
    data: Type.Object({ id: Type.String(), seq: Type.Integer(), kind: Type.String() }, { additionalProperties: true }),
  },
  { additionalProperties: false },
)

export interface Rig extends StagePublisher {
  /** What the receiver has, oldest first, as text. */
  received(): Promise<string[]>
  /** Goes away and comes back, keeping what it has confirmed. */
  kill(): Promise<void>
  start(): Promise<void>
  readonly wrongCredentials?: StagePublisher
  stop(): Promise<void>
}

/** What there is to prove about a receiver. */
export interface Traits {
  /** A payload of this many bytes makes a message that the receiver refuses for itself. */
  readonly refusedBytes?: number
  /** The receiver drops duplicates by id. */
  readonly deduplicates?: boolean
  /** It asks for credentials; the rig has wrong ones. */
  readonly asksWho?: boolean
  /** It is a server, which can go away. */
  readonly goesAway?: boolean
}

interface Event {
  id: string
  sequence: string
  partitionkey: string
  tenantid: string
  data: { id: string; seq: number; order_id: string | null; root_id: string | null; kind: string }
}

export function publisherContract(traits: Traits, prepare: () => Promise<Rig>): void {
  const { refusedBytes, deduplicates = false, asksWho = false, goesAway = false } = traits
  let stage: Stage
  let rig: Rig
  beforeAll(async () => {
    ;[stage, rig] = await Promise.all([openStage(), prepare()])
  }, 90_000)
  afterAll(async () => {
    await stage?.stop()
    await rig?.stop()
  })

  const received = async (tenant: string): Promise<Event[]> =>
    (await rig.received()).map((text) => JSON.parse(text) as Event).filter((event) => event.tenantid === tenant)
  /** First occurrences: what a receiver that drops duplicates works with. */
  const firsts = (events: Event[]): Event[] => events.filter((event, n) => events.findIndex(({ id }) => id === event.id) === n)

  async function expectComplete(tenant: string, options: { duplicates: boolean }): Promise<void> {
    const written = await stage.ledger(tenant)
    const events = await received(tenant)
    expect(new Set(events.map(({ id }) => id))).toEqual(new Set(written.map(({ id }) => id)))
    if (!options.duplicates) expect(events.map(({ id }) => id).sort()).toEqual(written.map(({ id }) => id).sort())
    const byKey = Map.groupBy(firsts(events), (event) => event.partitionkey)
    for (const [key, own] of byKey)
      expect(
        own.map(({ sequence }) => sequence),
        key,
      ).toEqual(own.map(({ sequence }) => sequence).sort())
  }

  /** `orders` orders with `each` events, interleaved. */
  async function story(tenant: string, orders: number, each: number): Promise<void> {
    const ids = Array.from({ length: orders }, () => uuidv7())
    await stage.write(
      tenant,
      ...Array.from({ length: each }, (_, n) => ids.map((id) => orderEvent(id, { payload: { n, price: 1.5, text: 'Grüße 🚀' } }))).flat(),
    )
  }

  describe(`a publisher`, () => {
    it('brings every event once, each order in the order of the ledger, as CloudEvents', async () => {
      const tenants = [await stage.tenant(), await stage.tenant()]
      for (const tenant of tenants) await story(tenant, 7, 11)
      await stage.write(tenants[0]!, { kind: 'key.created', message: 'without an order' })
      await stage.drain(stage.relay(rig), rig.driver)
      for (const tenant of tenants) {
        await expectComplete(tenant, { duplicates: false })
        for (const event of await received(tenant)) {
          expect([...Value.Errors(CloudEvent, event)], JSON.stringify(event)).toEqual([])
          expect(event.data).toMatchObject({ id: event.id, seq: Number(event.sequence) })
          expect(event.partitionkey).toBe(event.data.root_id ?? tenant)
        }
      }
    })

    it('goes on where a process was killed between handing over and writing it down: nothing is missing, the same bytes come again', async () => {
      const tenant = await stage.tenant()
      await story(tenant, 3, 4)
      const child = await stage.publisherProcess(rig, rig.driver)
      child.kill('SIGKILL')
      const before = await received(tenant)
      expect(before).toHaveLength(12)
      expect(await stage.cursor(tenant, rig.driver)).toMatchObject({ seq: 0 })
      await expireCursorLeases(stage)
      await stage.drain(stage.relay(rig), rig.driver)
      await expectComplete(tenant, { duplicates: true })
      const texts = (await rig.received()).filter((text) => text.includes(tenant))
      expect(new Set(texts).size, 'repeated deliveries have the same bytes').toBe(12)
      expect(texts).toHaveLength(deduplicates ? 12 : 24)
    })

    if (refusedBytes !== undefined)
      it('parks what the receiver refuses for itself, with the reason, and goes on', async () => {
        const tenant = await stage.tenant()
        const [poisoned, other] = [uuidv7(), uuidv7()]
        await stage.write(
          tenant,
          orderEvent(poisoned, { payload: { n: 1 } }),
          orderEvent(other, { payload: { n: 1 } }),
          orderEvent(poisoned, { payload: { n: 2, text: 'x'.repeat(refusedBytes) } }),
          orderEvent(other, { payload: { n: 2 } }),
          orderEvent(poisoned, { payload: { n: 3 } }),
        )
        await stage.drain(stage.relay(rig), rig.driver)
        expect(await stage.parked(tenant, rig.driver)).toEqual([
          expect.objectContaining({ seq: 3, state: 'parked', tries: 3, order_id: poisoned, reason: expect.stringMatching(/larg/) }),
        ])
        const events = await received(tenant)
        expect(
          firsts(events)
            .map((event) => event.data.seq)
            .sort((a, b) => a - b),
        ).toEqual([1, 2, 4, 5])
        expect(
          firsts(events)
            .filter((event) => event.partitionkey === poisoned)
            .map((event) => event.data.seq),
          'the gap shows',
        ).toEqual([1, 5])
      })

    if (asksWho)
      it('says that the credentials are wrong, and parks nothing', async () => {
        const tenant = await stage.tenant()
        await story(tenant, 1, 2)
        const relay = stage.relay(rig.wrongCredentials!, { name: 'wrong' })
        expect(await relay.run()).toEqual({ done: 0, more: false })
        expect(await stage.state('wrong')).toMatchObject({
          connected: false,
          error_code: 'credentials',
          error: expect.stringMatching(/refuses/),
        })
        expect(await stage.parked(tenant, 'wrong')).toEqual([])
        expect(await received(tenant)).toEqual([])
      })

    if (goesAway)
      it('waits for a receiver that is away, at the start and in the middle, and loses nothing', async () => {
        const tenant = await stage.tenant()
        await rig.kill()
        await story(tenant, 3, 3)
        const relay = stage.relay(rig)
        expect(await relay.run(), 'away at the start').toEqual({ done: 0, more: false })
        expect(await stage.state(rig.driver)).toMatchObject({ connected: false, error_code: 'unreachable' })
        await rig.start()
        await stage.drain(relay, rig.driver)
        expect(await stage.state(rig.driver)).toMatchObject({ connected: true, error: null })
        await rig.kill()
        await story(tenant, 3, 3)
        await until(async () => {
          await relay.run()
          return (await stage.state(rig.driver))?.connected === false
        }, 'the loss of the receiver shows')
        await rig.start()
        await stage.drain(relay, rig.driver)
        expect(await stage.state(rig.driver)).toMatchObject({ connected: true, error: null })
        await expectComplete(tenant, { duplicates: true })
        expect(await stage.parked(tenant, rig.driver)).toEqual([])
      }, 90_000)
  })
}
