/** The SQL of the order list: conditions and sort terms of order-query.ts become one statement. */
import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { eventCount } from '../../kernel/store/event-count.ts'
import { shapeName } from '../../kernel/store/shape-name.ts'
import type { Queryable } from '../../kernel/store/tx.ts'
import type { OrderCondition, SortTerm } from './order-query.ts'

/** Names of columns and operators come from closed lists of order-query.ts; values are always parameters. */
function conditionSql(condition: OrderCondition): Sql {
  switch (condition.on) {
    case 'id':
      return sql`o.id = any(${condition.anyOf}::uuid[])`
    case 'items.state':
      return sql`exists (select from wm.items i where i.tenant_id = o.tenant_id and i.order_id = o.id and i.state = any(${condition.anyOf}))`
    case 'state':
    case 'type':
    case 'requested_by_type':
    case 'requested_by_id':
      return sql`o.${raw(condition.on)} = any(${condition.anyOf})`
    case 'priority':
      return sql`o.priority ${raw(condition.operator)} ${condition.operand}::integer`
    case 'created_at':
    case 'last_transitioned_at':
    case 'applied_at':
    case 'completed_at':
      return sql`o.${raw(condition.on)} ${raw(condition.operator)} ${condition.operand}::timestamptz`
    case 'meta':
      return sql`(${join(
        condition.containsAnyOf.map((reading) => sql`o.meta @> ${reading}::jsonb`),
        ' or ',
      )})`
    case 'has_available_items':
      return sql`exists (select from wm.items i where i.tenant_id = o.tenant_id and i.order_id = o.id and i.ready)`
    default: {
      const { priority, createdAt, id } = condition
      return sql`(o.priority < ${priority} or (o.priority = ${priority} and (o.created_at, o.id) > (${createdAt}::timestamptz, ${id}::uuid)))`
    }
  }
}

const whereOf = (tenantId: string, conditions: readonly OrderCondition[]): Sql =>
  join([sql`o.tenant_id = ${tenantId}::uuid`, ...conditions.map(conditionSql)], ' and ')

/** Said for no other column: an index in the order of the list serves only those who ask for exactly its order. */
const mayBeEmpty: ReadonlySet<string> = new Set(['applied_at', 'completed_at'])
const columnOf = (by: SortTerm['by']): string => (by === 'items_count' ? 'items_total' : by)

function sortSql({ by, descending }: SortTerm): Sql {
  const nulls = mayBeEmpty.has(by) ? ' nulls last' : ''
  return sql`o.${raw(`${columnOf(by)}${descending ? ' desc' : nulls === '' ? '' : ' asc'}${nulls}`)}`
}

/** How many orders match, and how many events the tenant had then (see kernel/store/event-count.ts). */
export async function countOrders(
  q: Queryable,
  tenantId: string,
  conditions: readonly OrderCondition[],
): Promise<{ total: number; events: string }> {
  const statement = sql`
    select count(*)::int as total, (${eventCount})::text as events from wm.orders o where ${whereOf(tenantId, conditions)}`
  const [row] = await q.query<{ total: number; events: string }>(statement, shapeName('count_orders', statement))
  return row!
}

export interface OrderPage {
  readonly conditions: readonly OrderCondition[]
  readonly sort: readonly SortTerm[]
  readonly limit: number
  readonly offset: number
  readonly countItems: boolean
  readonly countEvents: boolean
  /** Only these members of each order. */
  readonly members?: readonly string[] | undefined
}

export interface ListedOrder {
  readonly id: string
  readonly priority: number
  readonly created_at: string
  readonly items_total: number
  readonly json: string
  readonly items_count?: number
  readonly events_count?: number
}

/** Members of an order that hold documents: they are what makes a page large. */
export const largeMembers = ['payload', 'meta', 'acceptance_config', 'last_apply_error'] as const

/** One page of orders as rendered JSON, with counts where asked; the id breaks ties, so that pages never overlap. */
export function pageOrders(
  q: Queryable,
  tenantId: string,
  { conditions, sort, limit, offset, countItems, countEvents, members }: OrderPage,
): Promise<ListedOrder[]> {
  const itemsCount = sql`(select count(*)::int from wm.items i where i.tenant_id = o.tenant_id and i.order_id = o.id) as items_count`
  const eventsCount = sql`(select count(*)::int from wm.events e where e.tenant_id = o.tenant_id and e.root_id = o.id) as events_count`
  const extra = [...(countItems ? [itemsCount] : []), ...(countEvents ? [eventsCount] : [])]
  const json = members
    ? sql`(select coalesce(json_object_agg(m.key, m.value), '{}') from json_each(wm.order_json(o)) m where m.key = any (${members}))`
    : sql`wm.order_json(o)`
  const statement = sql`
    select o.id, o.priority, wm.wire_time(o.created_at) as created_at, o.items_total, (${json})::text as json ${extra.length > 0 ? join(extra, ', ', ', ') : empty}
      from wm.orders o where ${whereOf(tenantId, conditions)}
     order by ${join([...sort.map(sortSql), sql`o.id`])} limit ${limit} offset ${offset}`
  return q.query(statement, shapeName('page_orders', statement))
}
