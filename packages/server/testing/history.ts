/** Does the record tell the truth? Replays the events of every order and item through the machines and compares with what the rows say. */
import { allowedFrom, type EventKind, machines, stateAfter } from '@work-manager/contract'
import type { TestDatabase } from './test-database.ts'

interface Lived {
  readonly id: string
  readonly state: string
  readonly kinds: readonly EventKind[]
}

/** What does not add up, in words; empty when everything does. `except`: orders that the test forged by SQL. */
export async function contradictionsIn(database: TestDatabase, except: readonly string[] = []): Promise<string[]> {
  const found: string[] = []
  for (const [machine, table, own] of [
    ['order', 'orders', 'e.order_id = r.id and e.item_id is null and r.id'],
    ['item', 'items', 'e.item_id = r.id and r.order_id'],
  ] as const) {
    const rows = await database.sql<Lived>(
      `select r.id, r.state, coalesce((select json_agg(e.kind order by e.position) from record e where ${own} <> all ($1)), '[]') as kinds
         from wm.${table} r where ${machine === 'order' ? 'r.id' : 'r.order_id'} <> all ($1)`,
      [except],
    )
    for (const { id, state, kinds } of rows) {
      let at: string = machines[machine].initial
      for (const [n, kind] of kinds.entries()) {
        const to = stateAfter(kind)
        // The first may be the one that made it.
        if (to === null || (n === 0 && to === at)) continue
        if (!allowedFrom(machine, at).includes(to)) found.push(`${machine} ${id}: '${kind}' while ${at} (${kinds.join(', ')})`)
        at = to
      }
      if (at !== state) found.push(`${machine} ${id} is ${state}, its events say ${at} (${kinds.join(', ')})`)
    }
  }
  const counts = await database.sql<{ id: string; why: string }>(
    `select o.id, format('counters %s/%s/%s, items say %s/%s/%s', o.items_submitted, o.items_dead, o.items_total, n.submitted, n.dead, n.total) as why
       from wm.orders o cross join lateral (
         select count(*) filter (where wm.item_is_handed_in(i.state)) as submitted,
                count(*) filter (where i.state = 'dead_lettered') as dead, count(*) as total
           from wm.items i where i.order_id = o.id) n
      where o.id <> all ($1) and o.state not in ('cancelled', 'failed', 'dead_lettered')
        and (o.items_total <> n.total or o.items_submitted <> n.submitted or o.items_dead <> n.dead and o.on_item_failure = 'proceed')
     union all
     select i.id, format('generation %s, grants on record %s', i.generation, g.n) from wm.items i
       cross join lateral (select count(*) as n from record e where e.item_id = i.id and e.kind = 'item.leased') g
      where i.order_id <> all ($1) and i.generation <> g.n
     union all
     select i.id, format('item is %s, %s submissions of number up to %s', i.state, s.n, i.submission_number) from wm.items i
       cross join lateral (select count(*) as n from wm.submissions s where s.item_id = i.id) s
      where i.order_id <> all ($1) and i.submission_number <> s.n`,
    [except],
  )
  return [...found, ...counts.map(({ id, why }) => `${id}: ${why}`)]
}
