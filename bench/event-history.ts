/**
 * A long history: real orders, proposed over HTTP, and for their items synthetic facts written in SQL, which the server's own function
 * then numbers and chains, so that the ledger verifies. What the facts tell is made up: no agent did this work.
 */
import { fillQueue } from './http-client.ts'
import { type DatabaseUrls, withAdmin } from './database.ts'
import type { Bench } from './suite.ts'

export interface EventHistory {
  readonly database: DatabaseUrls
  readonly facts: number
  readonly orderIds: readonly string[]
  readonly itemIds: readonly string[]
}

export const agentsOfHistory = 200
const itemsPerOrder = 4
const factsPerItem = 50
const factsPerPass = 250_000

/** Agents of the history, as provenance. */
const agentsSql = `
  insert into wm.provenance (tenant_id, id, principal, agent_id, model_name, ip, fingerprint)
  select t.id, gen_random_uuid(), 'agent:history-' || n, 'history-' || n, 'model-' || n % 5, '192.0.2.' || n, 'history-' || n
    from wm.tenants t, generate_series(1, ${agentsOfHistory}) n where t.slug = 'bench'`

/** One more fact for each item, of ever other kinds and agents. A transaction each, because the sequencer reads by transaction. */
const factsSql = `
  insert into wm.events (tenant_id, order_id, item_id, kind, order_type, actor_type, actor_id, principal, request_id, provenance_id, priority,
    payload, decided_at)
  select i.tenant_id, i.order_id, i.id, (array['item.leased', 'item.released', 'item.leased', 'item.submitted', 'item.rejected'])[1 + n % 5],
    'bench.echo', 'agent', p.agent_id, p.principal, 'history-' || n, p.id, 2,
    json_build_object('attempt', n, 'note', 'synthetic fact number ' || n), clock_timestamp()
    from (values ($1::integer)) as turn(n)
    cross join (select *, row_number() over (order by id) as number from wm.items) i
    join (select *, row_number() over (order by fingerprint) - 1 as number from wm.provenance where fingerprint like 'history-%') p
      on p.number = (i.number * 7 + n) % ${agentsOfHistory}`

/** Makes the history in a database of its own; the server must not run on it yet. */
export async function makeEventHistory(bench: Bench, facts: number): Promise<EventHistory> {
  const database = await bench.database.createMigrated('bench_history')
  const server = await bench.server({ database, keys: 1 })
  await fillQueue(server, Math.ceil(facts / factsPerItem), itemsPerOrder)
  await bench.stopServer()
  bench.tell('the history is being written')
  return withAdmin(database.adminUrl, async (client) => {
    await client.query(agentsSql)
    for (let turn = 1; turn <= factsPerItem; turn++) await client.query(factsSql, [turn])
    bench.tell('the history is being numbered')
    for (;;) {
      const { rows } = await client.query<{ done: number }>('select done from wm.sequence($1, true)', [factsPerPass])
      if (rows[0]!.done < factsPerPass) break
    }
    await client.query('vacuum analyze')
    const { rows } = await client.query<{ facts: number; orders: string[]; items: string[] }>(
      `select (select count(*)::int from wm.events) as facts, (select array_agg(id) from (select id from wm.orders limit 1000) o) as orders,
        (select array_agg(id) from (select id from wm.items limit 1000) i) as items`,
    )
    return { database, facts: rows[0]!.facts, orderIds: rows[0]!.orders, itemIds: rows[0]!.items }
  })
}
