/**
 * The same SQL work without a server: one connection per client, the runtime role, the session settings and the very statements of the
 * server's hot path, one item per statement (what pgbench would do). With `batch` > 1 one statement carries that many items.
 */
import { createHash, randomBytes } from 'node:crypto'
import pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { createHotPath } from '../packages/server/src/work/hot-path/hot-path.ts'
import type { Asker, LeaseVerb } from '../packages/server/src/work/hot-path/requests.ts'
import { hotSession, type Session, setForConnection, windowSession } from '../packages/server/src/kernel/store/session.ts'
import { noTracing } from '../packages/server/src/tracing/tracing.ts'
import { resultFor } from './order-types/bench-echo.ts'
import type { Client } from './measure.ts'
import type { ServerHandle } from './server-handle.ts'

export interface SqlClientOptions {
  readonly batch: number
  /** Orders to take from, one at a time: a client with an order of its own waits for nobody. Null: the head of the one queue. */
  readonly orders: string[] | null
}

export async function openSqlClient(server: ServerHandle, agentId: string, { batch, orders }: SqlClientOptions): Promise<Client> {
  const connect = async (session: Session): Promise<pg.Client> => {
    const made = new pg.Client({ connectionString: server.spec.database.runtimeUrl, application_name: 'work-manager bench' })
    await made.connect()
    await made.query(setForConnection(session))
    return made
  }
  const connection = await connect(hotSession)
  const windows = await connect(windowSession)
  const statements = (on: pg.Client) => ({
    query: async <Row>(name: string, text: string, values: readonly unknown[]) =>
      (await on.query({ name, text, values: values as unknown[] })).rows as Row[],
  })
  const { rows } = await connection.query<{ epoch: number }>('select epoch from wm.cluster')
  const hotPath = createHotPath({
    connection: statements(connection),
    windows: statements(windows),
    epoch: rows[0]!.epoch,
    heartbeatEverySeconds: server.heartbeatEverySeconds,
    idempotencyTtlSeconds: server.idempotencyTtlSeconds,
    leaseLimits: null,
    hints: null,
    tracing: noTracing,
  })
  const provenanceId = uuidv7()
  let order = orders?.pop() ?? null
  const asker = (): Asker => ({
    tenantId: server.tenantId,
    agentId,
    principal: `agent:${agentId}`,
    actorType: 'agent',
    actorId: agentId,
    requestId: uuidv7(),
    provenanceId,
    traceId: null,
  })
  const each = <T>(call: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: batch }, call))

  async function take(): Promise<Array<{ verb: LeaseVerb; input: { number: number } }>> {
    for (;;) {
      const answers = await each(() => hotPath.checkout({ ...asker(), keyId: null, orderId: order, type: null, minPriority: null }))
      const leased = answers.flatMap((answer) => {
        if (answer.kind !== 'leased') return []
        const { lease_token: token, input } = JSON.parse(answer.json) as { lease_token: string; input: { number: number } }
        return [{ verb: { ...asker(), itemId: answer.itemId, token }, input }]
      })
      if (leased.length > 0) return leased
      const next = orders?.pop()
      if (next === undefined) throw new Error(`checkout answered ${answers[0]!.kind}`)
      order = next
    }
  }

  return {
    async step(timed) {
      const held = await timed('checkout', take)
      const beaten = await timed('heartbeat', () => Promise.all(held.map(({ verb }) => hotPath.heartbeat(verb))))
      if (beaten.some(({ kind }) => kind !== 'held')) throw new Error('heartbeat was refused')
      const done = await timed('submit', () =>
        Promise.all(
          held.map(({ verb, input }) =>
            hotPath.submit({
              ...verb,
              result: resultFor(input),
              evidence: null,
              notes: null,
              digest: `sha256:${'0'.repeat(64)}`,
              assembledParts: null,
              traceparent: null,
              idempotency: { keyHash: randomBytes(32), fingerprint: createHash('sha256').update(verb.itemId).digest() },
            }),
          ),
        ),
      )
      if (done.some(({ kind }) => kind !== 'done')) throw new Error(`submit answered ${done[0]!.kind}`)
    },
    close: async () => {
      await connection.end()
      await windows.end()
    },
  }
}
