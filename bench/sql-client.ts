/**
 * The same SQL work without a server: one connection per client, the runtime role, the session settings of the server's hot path, one
 * prepared statement per call, one cycle at a time (what pgbench would do). With `batch` > 1 one call carries that many slots.
 */
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { hotSessionOptions } from '../packages/server/src/store/database.ts'
import { resultFor } from './bench-type.ts'
import type { Client } from './measure.ts'
import type { ServerHandle } from './server-handle.ts'

interface Leased {
  readonly slot: number
  readonly item_id: string
  readonly body: string
}

export interface SqlClientOptions {
  /** Slots per call. */
  readonly batch: number
  /** Orders to take from, one at a time: a client with an order of its own waits for nobody. Null: the head of the one queue. */
  readonly orders: string[] | null
}

export async function openSqlClient(server: ServerHandle, agentId: string, { batch, orders }: SqlClientOptions): Promise<Client> {
  const connection = new pg.Client({
    connectionString: server.runtimeUrl,
    options: `-c role=wm_app ${hotSessionOptions}`,
    application_name: 'work-manager bench',
  })
  await connection.connect()
  const { rows } = await connection.query<{ epoch: number }>('select epoch from wm.cluster')
  const { epoch } = rows[0]!
  const { tenantId, heartbeatEverySeconds, idempotencyTtlSeconds } = server
  const provenanceId = uuidv7()
  let order = orders?.pop() ?? null
  const asker = () => ({
    agent_id: agentId,
    principal: `agent:${agentId}`,
    actor_type: 'agent',
    actor_id: agentId,
    request_id: uuidv7(),
    provenance_id: provenanceId,
    trace_id: null,
  })
  const call = async <Row extends pg.QueryResultRow>(name: string, text: string, values: unknown[]): Promise<Row[]> =>
    (await connection.query<Row>({ name, text, values })).rows

  return {
    async cycle(timed) {
      const wanted = Array.from({ length: batch }, (_, slot) => ({ slot, ...asker(), random: randomBytes(16).toString('base64url') }))
      const leased = await timed('checkout', async () => {
        // As the server does: one row with slot -1 says that others were faster.
        for (let turn = 1; ; turn++) {
          const rows = await call<Leased>('checkout_items', 'select * from wm.checkout_items($1, $2, $3, $4, $5, $6, $7)', [
            tenantId,
            order,
            null,
            -32768,
            epoch,
            heartbeatEverySeconds,
            JSON.stringify(wanted),
          ])
          const granted = rows.filter((row) => row.slot >= 0)
          if (granted.length > 0) return granted
          if (rows.length === 0 && orders !== null && orders.length > 0) order = orders.pop()!
          else if (rows.length === 0 || turn === 100) throw new Error('checkout_items found nothing')
        }
      })
      const held = leased.map(({ item_id, body }, slot) => {
        const item = JSON.parse(body) as { lease_token: string; input: { number: number } }
        return { request: { slot, ...asker(), item_id, token: item.lease_token }, input: item.input }
      })
      const beats = held.map(({ request }) => request)
      const beaten = await timed('heartbeat', () =>
        call<{ held: boolean }>('heartbeat_items', 'select * from wm.heartbeat_items($1, $2)', [tenantId, JSON.stringify(beats)]),
      )
      if (!beaten.every((row) => row.held)) throw new Error('heartbeat_items refused')
      const submits = held.map(({ request, input }) => ({
        ...request,
        submission_id: uuidv7(),
        result: resultFor(input),
        evidence: null,
        notes: null,
        digest: `sha256:${'0'.repeat(64)}`,
        assembled_parts: null,
        key_hash: randomBytes(32).toString('hex'),
        fingerprint: '0'.repeat(64),
      }))
      const done = await timed('submit', () =>
        call<{ verdict: string }>('submit_items', 'select * from wm.submit_items($1, $2, $3)', [
          tenantId,
          idempotencyTtlSeconds,
          JSON.stringify(submits),
        ]),
      )
      if (!done.every((row) => row.verdict === 'done')) throw new Error(`submit_items answered ${done[0]!.verdict}`)
    },
    close: () => connection.end(),
  }
}
