/** The stage for tests of lease.backend = redis: one database, two servers that share a Redis, one that knows of none, and a leased item. */
import { expect } from 'vitest'
import { essayType } from './essay-type.ts'
import { startTestRedis, type TestRedis } from './peers/redis-server.ts'
import { holdItem } from './row-gate.ts'
import { type Answer, type Caller, createCaller, startTestServer, type TestServer, until } from './test-server.ts'

export const recordedType: typeof essayType = { ...essayType, type: 'test.recorded', recordHeartbeats: true }
export const strictType: typeof essayType = { ...essayType, type: 'test.strict', requireLeaseToken: true }
/** Takes a claim by the agent id alone, as agents of earlier versions make it. */
export const laxType: typeof essayType = { ...essayType, type: 'test.lax', requireLeaseToken: false }
export const hintedTypes = [essayType, recordedType, strictType, laxType]

export interface Leased {
  readonly id: string
  readonly order_id: string
  readonly lease_token: string
  readonly lease_expires_at: string
}
interface LeaseRow {
  readonly lease_expires_at: Date
  readonly lease_token: string | null
  readonly state: string
  /** The end of the lease in microseconds. */
  readonly micros: string
}

export interface HintedLeases {
  readonly redis: TestRedis
  readonly here: TestServer
  readonly there: TestServer
  /** Shares the database only. */
  readonly plain: TestServer
  readonly proposer: Caller
  readonly robin: Caller
  readonly wren: Caller
  readonly ada: Caller
  beat(caller: Caller, item: Leased, token?: string): Promise<Answer>
  /** The key of what Redis knows about the lease. */
  noteOf(item: Leased): Promise<string | undefined>
  rowOf(item: Leased): Promise<LeaseRow>
  lease(caller?: Caller, type?: string): Promise<Leased>
  /** Leased, in progress, and noted. */
  begun(caller?: Caller, type?: string): Promise<Leased>
  /** The answer to a heartbeat while nobody can touch the row; null when it had to wait for it. */
  answeredWithoutDatabase(caller: Caller, item: Leased): Promise<Answer | null>
  stop(): Promise<void>
}

/** The same person or agent at another server. */
export const at = (server: TestServer, caller: Caller): Caller => createCaller(server.url, caller.key, caller.id)

export async function stageHintedLeases(): Promise<HintedLeases> {
  const redis = await startTestRedis()
  const shared = { types: hintedTypes, background: false }
  const hinted = { database: { max_connections: 8 }, redis: { url: redis.url }, lease: { backend: 'redis' as const } }
  const here = await startTestServer({ ...shared, config: hinted })
  const { database } = here
  const there = await startTestServer({ ...shared, database, config: hinted })
  const plain = await startTestServer({ ...shared, database, config: { database: { max_connections: 8 } } })
  const proposer = await here.caller('service', 'crm')
  const robin = await here.caller('agent', 'robin')

  const beat: HintedLeases['beat'] = (caller, item, token = item.lease_token) =>
    caller.post(`/items/${item.id}/heartbeat`, { lease_token: token }, { key: null })
  const noteOf = async (item: Leased): Promise<string | undefined> => (await redis.client.keys(`*${item.id}`))[0]
  async function lease(caller = robin, type = 'test.essay'): Promise<Leased> {
    const { body: proposed } = await proposer.post('/propose', { type, payload: { titles: ['one'] } })
    const { body } = await caller.post(`/orders/${proposed.order.id}/checkout`, {}, { key: null })
    return body.item as Leased
  }

  return {
    redis,
    here,
    there,
    plain,
    proposer,
    robin,
    wren: await here.caller('agent', 'wren'),
    ada: await here.caller('person', 'ada'),
    beat,
    noteOf,
    async rowOf(item) {
      const [row] = await database.sql<LeaseRow>(
        `select state, lease_token, lease_expires_at, (extract(epoch from lease_expires_at) * 1000000)::bigint as micros from wm.items where id = $1`,
        [item.id],
      )
      return row!
    },
    lease,
    async begun(caller = robin, type = 'test.essay') {
      const item = await lease(caller, type)
      expect((await beat(caller, item)).status).toBe(200)
      await until(() => noteOf(item), 'the judged heartbeat is noted')
      return item
    },
    async answeredWithoutDatabase(caller, item) {
      const gate = await holdItem(database, item.id)
      const answer = beat(caller, item)
      const first = await Promise.race([answer, gate.waiting().then(() => null)])
      await gate.open()
      if (first === null) await answer
      return first
    },
    async stop() {
      await plain.stop()
      await there.stop()
      await here.stop()
      await redis.stop()
    },
  }
}
