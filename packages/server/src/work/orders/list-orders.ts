import { uuidPattern } from '../../kernel/uuid.ts'
import { EventShape, ItemShape, OrderShape, WorkError } from '@work-manager/contract'
import Type, { type Static } from 'typebox'
import { listEvents } from '../../kernel/store/events.ts'
import { renderEffects } from '../effects/store.ts'
import { renderItemsOfOrders } from '../items/store.ts'
import { countOrders, largeMembers, type ListedOrder, type OrderPage, pageOrders } from './list-orders.store.ts'
import type { Queryable } from '../../kernel/store/tx.ts'
import { readCounted } from '../../kernel/operations/counted.ts'
import { decodeCursor, encodeCursor, sealOf, instantPattern } from '../../kernel/operations/cursor.ts'
import { defineOperation, type WorkContext } from '../tools.ts'
import { pageBytes, PageBudget } from '../../kernel/store/page-budget.ts'
import { assertTypesKnown } from './known-types.ts'
import { filterNames, type Include, pick, plainFilters, readFields, readFilters, readIncludes, readSort } from './order-query.ts'
import { orderShown } from '../shown.ts'

const text = (description: string) => Type.Optional(Type.String({ maxLength: 4000, description }))
const size = (description: string) => Type.Optional(Type.Union([Type.Integer(), Type.String({ maxLength: 10 })], { description }))
const members = (names: readonly string[], description: string) =>
  Type.Optional(
    Type.Object(Object.fromEntries(names.map((name) => [name, Type.Optional(Type.Unknown())])), {
      additionalProperties: true,
      description,
    }),
  )

const input = Type.Object({
  filter: members(filterNames, 'filter[state]=queued, filter[priority]=>50, filter[meta]=key:value …'),
  sort: text('Comma list, - for descending; default -priority,created_at.'),
  include: text(
    'What comes with each order, and nothing else: items, events, effects, itemsCount, itemsExists, eventsCount, eventsExists; include= for the orders alone. Without include and fields: items.',
  ),
  fields: members(['work_orders', 'items', 'events'], 'fields[work_orders]=id,state …'),
  page: Type.Optional(
    Type.Object(
      { number: size('Page number from 1.'), size: size('Rows per page.') },
      { additionalProperties: false, description: 'page[number], page[size].' },
    ),
  ),
  per_page: size('Rows per page.'),
  limit: size('Rows per page.'),
  cursor: text('Keyset paging instead of page numbers: `start`, then next_cursor. In the default order only.'),
  state: text('Short for filter[state].'),
  type: text('Short for filter[type].'),
  id: text('Short for filter[id].'),
  requested_by_type: text('Short for filter[requested_by_type].'),
  requested_by_id: text('Short for filter[requested_by_id].'),
})
type Input = Static<typeof input>

/** Every member is optional: `fields[…]` chooses. */
const sparseOrder = Type.Partial(
  Type.Object(
    { ...OrderShape.properties, items: Type.Array(Type.Partial(ItemShape)), events: Type.Array(Type.Partial(EventShape)) },
    { title: 'SparseOrder' },
  ),
)

function whole(name: string, value: unknown, lowest: number, highest: number): number {
  const number = typeof value === 'number' ? value : /^\d{1,9}$/.test(String(value)) ? Number(value) : Number.NaN
  if (!Number.isInteger(number) || number < lowest || number > highest)
    throw new WorkError('invalid_filter', { detail: `${name} must be a whole number from ${lowest} to ${highest}.` })
  return number
}

function pageSize(context: WorkContext, given: Input): number {
  const { defaultPageSize, maxPageSize } = context.tools.settings
  for (const [name, value] of [
    ['limit', given.limit],
    ['per_page', given.per_page],
    ['page[size]', given.page?.size],
  ] as const)
    if (value !== undefined)
      // Clients of the predecessor ask for 0 or 500 and take what they get.
      return name === 'limit' ? Math.min(maxPageSize, Math.max(1, whole(name, value, 0, 1_000_000))) : whole(name, value, 1, maxPageSize)
  return defaultPageSize
}

/** Of a longer order the list shows this many items; GET /items?order=… has them all. */
const itemsPerOrder = 50

type Fields = ReturnType<typeof readFields>

/** Items come unasked, as older clients expect, until somebody says what they want: then what they named comes, and nothing else is read. */
const wantsItems = (given: Input, includes: Set<Include>, fields: Fields): boolean =>
  includes.has('items') || fields.items !== undefined || (given.include === undefined && fields.work_orders === undefined)

type Dressed = Record<string, unknown>

/** Half of the bytes are for the orders themselves, so that there is room for what belongs to them. */
const orderBytes = pageBytes / 2

/** Rows with their includes and sparse fields, as objects. */
async function dress(q: Queryable, rows: readonly ListedOrder[], includes: Set<Include>, fields: Fields): Promise<Dressed[]> {
  const budget = new PageBudget(pageBytes - rows.reduce((sum, row) => sum + row.json.length, 0))
  const items = new Map(rows.map((row): [string, unknown[]] => [row.id, []]))
  const rendered = includes.has('items')
    ? await budget.beside(q, (within) => renderItemsOfOrders(within, [...items.keys()], itemsPerOrder, fields.items))
    : []
  for (const { order_id, json } of rendered) items.get(order_id)!.push(pick(JSON.parse(json) as Dressed, fields.items))
  const dressed: Dressed[] = []
  for (const row of rows) {
    const order = JSON.parse(row.json) as Dressed
    if (includes.has('itemsCount')) order.items_count = row.items_count
    if (includes.has('itemsExists')) order.items_exists = (row.items_count ?? 0) > 0
    if (includes.has('eventsCount')) order.events_count = row.events_count
    if (includes.has('eventsExists')) order.events_exists = (row.events_count ?? 0) > 0
    if (includes.has('items')) {
      const shown = items.get(row.id)!
      order.items = shown
      if (row.items_total > shown.length) order.items_omitted = row.items_total - shown.length
    }
    if (includes.has('events')) {
      const events = await budget.beside(q, (within) => listEvents(within, { rootId: row.id }, 20))
      order.events = events.map((event) => pick(JSON.parse(event.json) as Dressed, fields.events))
    }
    if (includes.has('effects')) {
      const effects = await budget.beside(q, (within) => renderEffects(within, row.id))
      order.effects = effects.map((effect) => JSON.parse(effect.json) as unknown)
    }
    dressed.push(order)
  }
  return dressed
}

/**
 * By page number every row must be there, or the next page would begin behind rows that nobody saw: those that have no room come without
 * their documents, and say so.
 */
async function numberedPage(q: Queryable, tenantId: string, query: OrderPage, includes: Set<Include>, fields: Fields): Promise<Dressed[]> {
  const { rows: whole, more } = await new PageBudget(orderBytes).page(q, query.limit, (within) => pageOrders(within, tenantId, query))
  const dressed = await dress(q, whole, includes, fields)
  if (!more) return dressed
  const small = (fields.work_orders ?? Object.keys(OrderShape.properties)).filter(
    (name) => !(largeMembers as readonly string[]).includes(name),
  )
  const rest = await pageOrders(q, tenantId, {
    ...query,
    members: small,
    offset: query.offset + whole.length,
    limit: query.limit - whole.length,
  })
  const bare = rest.map((row) => ({
    ...(JSON.parse(row.json) as Dressed),
    ...(includes.has('items') ? { items: [], items_omitted: row.items_total } : {}),
    omitted: largeMembers,
  }))
  return [...dressed, ...bare]
}

/** The predecessor's page object, with links that work: every link repeats the whole query. */
function pageObject(
  base: string,
  given: Input,
  page: { number: number; size: number; total: number },
  data: unknown[],
): Record<string, unknown> {
  const last = Math.max(1, Math.ceil(page.total / page.size))
  const link = (number: number) => {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(given)) {
      if (name === 'page' || name === 'per_page' || name === 'limit') continue
      if (typeof value === 'object') for (const [key, inner] of Object.entries(value)) query.set(`${name}[${key}]`, String(inner))
      else query.set(name, String(value))
    }
    query.set('page[size]', String(page.size))
    query.set('page[number]', String(number))
    return `${base}?${query}`
  }
  const previous = page.number > 1 ? link(page.number - 1) : null
  const next = page.number < last ? link(page.number + 1) : null
  const from = (page.number - 1) * page.size
  return {
    current_page: page.number,
    data,
    first_page_url: link(1),
    from: data.length > 0 ? from + 1 : null,
    last_page: last,
    last_page_url: link(last),
    links: [
      { url: previous, label: '&laquo; Previous', active: false },
      { url: link(page.number), label: String(page.number), active: true },
      { url: next, label: 'Next &raquo;', active: false },
    ],
    next_page_url: next,
    path: base,
    per_page: page.size,
    prev_page_url: previous,
    to: data.length > 0 ? from + data.length : null,
    total: page.total,
  }
}

export const listOrders = defineOperation({
  name: 'list_orders',
  summary: 'List orders with filters, sorts, includes and sparse fields; by page or by cursor.',
  http: { method: 'GET', path: '/orders', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['invalid_filter', 'cursor_invalid', 'cursor_expired', 'record_behind', 'order_type_not_found'],
  command: { words: 'orders list', byHand: true },
  tool: {
    name: 'work_list',
    title: 'List orders',
    summary: 'List orders: ids, states, ages; the most urgent first.',
    advice: 'include and fields ask for more of each; work_get reads one.',
    // A page that is too large for a model is made smaller, and only a cursor goes on behind it without a gap.
    defaults: (given) => ({
      ...(given['sort'] === undefined && given['page'] === undefined ? { cursor: 'start' } : {}),
      ...(['limit', 'per_page', 'page'].every((name) => given[name] === undefined) ? { limit: 25 } : {}),
    }),
    shows: (given) =>
      given['include'] === undefined && given['fields'] === undefined
        ? { data: orderShown, next_cursor: true, per_page: true, current_page: true, last_page: true, total: true }
        : undefined,
    unlisted: ['page', 'per_page', 'id', 'requested_by_type', 'requested_by_id'],
  },
  input,
  output: Type.Object({ data: Type.Array(sparseOrder) }, { additionalProperties: true }),
  async handler(context, given) {
    const { tools, principal } = context
    const aliases = Object.fromEntries(
      plainFilters.flatMap((name) => (given[name] !== undefined && given.filter?.[name] === undefined ? [[name, given[name]]] : [])),
    )
    const conditions = readFilters({ ...aliases, ...given.filter })
    await assertTypesKnown(
      context,
      conditions.flatMap((condition) => (condition.on === 'type' ? condition.anyOf : [])),
    )
    const sort = readSort(given.sort)
    const includes = readIncludes(given.include)
    if (sort.some(({ by }) => by === 'items_count')) includes.add('itemsCount')
    const fields = readFields(given.fields ?? {})
    if (wantsItems(given, includes, fields)) includes.add('items')
    const size = pageSize(context, given)
    const asked = {
      conditions,
      sort,
      members: fields.work_orders,
      countItems: includes.has('itemsCount') || includes.has('itemsExists'),
      countEvents: includes.has('eventsCount') || includes.has('eventsExists'),
    }

    // Whoever asks for events sees all of them; the list alone waits for no number.
    const read: typeof context.read = (work) =>
      asked.countEvents || includes.has('events') ? context.readRecord(work) : context.read(work)

    if (given.cursor !== undefined) {
      if (given.sort !== undefined)
        throw new WorkError('invalid_filter', { detail: 'cursor works in the default order only; leave sort away.' })
      if (given.cursor !== 'start' && given.cursor !== '') {
        const [priority, at, id] = decodeCursor(sealOf(context), 'orders', given.cursor, [/^-?\d{1,6}$/, instantPattern, uuidPattern]) as [
          string,
          string,
          string,
        ]
        conditions.push({ on: 'position', priority: Number(priority), createdAt: at, id })
      }
      return read(async (q) => {
        const query = { ...asked, limit: size + 1, offset: 0 }
        const { rows, more } = await new PageBudget(orderBytes).page(q, size, (within) => pageOrders(within, principal.tenantId, query))
        const last = more ? rows.at(-1) : undefined
        const next = last ? encodeCursor(sealOf(context), 'orders', [last.priority, last.created_at, last.id]) : null
        return { status: 200, body: { data: await dress(q, rows, includes, fields), per_page: size, next_cursor: next } }
      })
    }
    const number = given.page?.number === undefined ? 1 : whole('page[number]', given.page.number, 1, 1_000_000)
    const { total } = await readCounted(context, 'order_total', JSON.stringify(conditions), (q) =>
      countOrders(q, principal.tenantId, conditions),
    )
    return read(async (q) => {
      const query = { ...asked, limit: size, offset: (number - 1) * size }
      const data = await numberedPage(q, principal.tenantId, query, includes, fields)
      return { status: 200, body: pageObject(`${tools.settings.baseUrl}/orders`, given, { number, size, total }, data) }
    })
  },
})
