/**
 * A long history: real orders, proposed over HTTP, and for their items synthetic events written in SQL, which the server's own function
 * then numbers and chains, so that the ledger verifies. What the events tell is made up: no agent did this work.
 */
import { fillQueue } from './http-client.ts'
import { type DatabaseUrls, withAdmin } from './database.ts'
import type { Bench } from './suite.ts'

export interface EventHistory {
  readonly database: DatabaseUrls
  readonly events: number
  readonly orderIds: readonly string[]
  readonly itemIds: readonly string[]
}

export const agentsOfHistory = 200
const itemsPerOrder = 4
const factsPerItem = 50
const factsPerPass = 20_000

/** Agents of the history, as provenance. */
const agentsSql = `
  insert into wm.provenance (tenant_id, id, principal, agent_id, model_name, ip, fingerprint)
  select t.id, gen_random_uuid(), 'agent:history-' || n, 'history-' || n, 'model-' || n % 5, '192.0.2.' || n, 'history-' || n
    from wm.tenants t, generate_series(1, ${agentsOfHistory}) n where t.slug = 'bench'`

/** One more event for each item, of ever other kinds and agents, taken in as the server does it: rows of some hundred. */
const factsSql = `
  insert into wm.intake (tenant_id, decided_at, kinds, subject_ids, root_ids, labels, actor_types, actor_ids, principals, request_ids,
    provenance_ids, payloads)
  select i.tenant_id, clock_timestamp(),
    array_agg((array['item.leased', 'item.released', 'item.leased', 'item.submitted', 'item.rejected'])[1 + n % 5]), array_agg(i.id),
    array_agg(i.order_id), array_agg('bench.echo'::text), array_agg('agent'::text), array_agg(p.agent_id), array_agg(p.principal),
    array_agg('history-' || n), array_agg(p.id), array_agg(json_build_object('attempt', n, 'note', 'synthetic event number ' || n)::text)
    from (values ($1::integer)) as turn(n)
    cross join (select *, row_number() over (order by id) as number from wm.items) i
    join (select *, row_number() over (order by fingerprint) - 1 as number from wm.provenance where fingerprint like 'history-%') p
      on p.number = (i.number * 7 + n) % ${agentsOfHistory}
   group by i.tenant_id, i.number / 500`

/** Makes the history in a database of its own; the server must not run on it yet. */
export async function makeEventHistory(bench: Bench, events: number): Promise<EventHistory> {
  const database = await bench.database.createMigrated('bench_history')
  const server = await bench.server({ database, keys: 1 })
  await fillQueue(server, Math.ceil(events / factsPerItem), { perOrder: itemsPerOrder })
  await bench.stopServer()
  bench.tell('the history is being written')
  return withAdmin(database.adminUrl, async (client) => {
    await client.query(agentsSql)
    for (let turn = 1; turn <= factsPerItem; turn++) await client.query(factsSql, [turn])
    bench.tell('the history is being numbered')
    // Only numbering takes rows out of the intake, and it runs as the system role.
    await client.query('set role wm_system')
    for (;;) {
      const { rows } = await client.query<{ more: boolean }>('select more from wm.number_pass($1, null, null)', [factsPerPass])
      if (!rows[0]!.more) break
    }
    await client.query('reset role')
    await client.query('vacuum analyze')
    const { rows } = await client.query<{ events: number; orders: string[]; items: string[] }>(
      `select (select count(*)::int from wm.events) as events, (select array_agg(id) from (select id from wm.orders limit 1000) o) as orders,
        (select array_agg(id) from (select id from wm.items limit 1000) i) as items`,
    )
    return { database, events: rows[0]!.events, orderIds: rows[0]!.orders, itemIds: rows[0]!.items }
  })
}
