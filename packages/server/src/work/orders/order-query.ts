/** The query language of GET /orders: filters, sorts, includes, sparse fields, page; refused by name when it is not known. */
import { itemStates, nearestName, orderStates, WorkError } from '@work-manager/contract'
import sql, { join, raw, type Sql } from 'sql-template-tag'
import { isCalendarTime } from '../../kernel/operations/calendar-time.ts'
import { uuidPattern } from '../../kernel/operations/cursor.ts'

const refuse = (detail: string, near?: string): never => {
  throw new WorkError('invalid_filter', { detail: near ? `${detail} Did you mean '${near}'?` : detail })
}
const list = (value: unknown): string[] =>
  (Array.isArray(value) ? value : String(value).split(',')).map((one) => String(one).trim()).filter((one) => one !== '')

function oneOf(name: string, values: string[], known: readonly string[]): string[] {
  for (const value of values)
    if (!known.includes(value))
      refuse(`'${value.slice(0, 64)}' is not a value of ${name}; values: ${known.join(', ')}.`, nearestName(value, known))
  return values
}

const operators: Record<string, string> = { '>=': '>=', '<=': '<=', '<>': '<>', '>': '>', '<': '<', '=': '=' }
/** `>50`, `>=2026-01-01T00:00:00Z`, a comma list is ANDed. Columns and operators come from fixed lists. */
function compare(column: string, kind: 'integer' | 'time', value: unknown): Sql {
  const terms = list(value).map((text) => {
    const [, operator = '=', operand = ''] = /^(>=|<=|<>|>|<|=)?(.*)$/s.exec(text)!
    if (kind === 'integer' && !/^-?\d{1,9}$/.test(operand))
      refuse(`filter[${column}] takes an integer with an optional operator (${Object.keys(operators).join(' ')}), such as >50.`)
    if (kind === 'time' && !isCalendarTime(operand))
      refuse(`filter[${column}] takes a time with an optional operator, such as >=2026-01-31T00:00:00Z.`)
    const typed = kind === 'integer' ? sql`${Number(operand)}::integer` : sql`${operand}::timestamptz`
    return sql`${raw(`o.${column} ${operators[operator]}`)} ${typed}`
  })
  return terms.length === 0 ? refuse(`filter[${column}] is empty.`) : join(terms, ' and ')
}

/** `key:value`, a JSON object, or plain containment; `"42"` and 42 both match what was stored as 42 or "42". */
function metaContains(value: unknown): Sql {
  const text = String(value)
  if (text.startsWith('{')) {
    let wanted = ''
    try {
      wanted = JSON.stringify(JSON.parse(text))
    } catch {
      refuse('filter[meta] starts with { but is not JSON.')
    }
    // jsonb holds neither of the two, however they are escaped.
    if (/\\u(?:0000|d[89a-f])/i.test(wanted)) refuse('filter[meta] looks for U+0000 or an unpaired surrogate, which nothing holds.')
    return sql`o.meta @> ${wanted}::jsonb`
  }
  const colon = text.indexOf(':')
  if (colon < 1) refuse('filter[meta] takes key:value or a JSON object.')
  const key = text.slice(0, colon)
  const plain = text.slice(colon + 1)
  const readings: unknown[] = [plain]
  if (plain !== '' && !Number.isNaN(Number(plain))) readings.push(Number(plain))
  if (plain === 'true' || plain === 'false') readings.push(plain === 'true')
  return sql`(${join(
    readings.map((one) => sql`o.meta @> ${JSON.stringify({ [key]: one })}::jsonb`),
    ' or ',
  )})`
}

const filters: Record<string, (value: unknown) => Sql | null> = {
  id: (value) => {
    const ids = list(value)
    for (const id of ids) if (!uuidPattern.test(id.toLowerCase())) refuse(`filter[id] takes UUIDs; '${id.slice(0, 64)}' is not one.`)
    return sql`o.id = any(${ids}::uuid[])`
  },
  state: (value) => sql`o.state = any(${oneOf('filter[state]', list(value), orderStates)})`,
  type: (value) => sql`o.type = any(${list(value)})`,
  requested_by_type: (value) => sql`o.requested_by_type = any(${list(value)})`,
  requested_by_id: (value) => sql`o.requested_by_id = any(${list(value)})`,
  'items.state': (value) =>
    sql`exists (select from wm.items i where i.tenant_id = o.tenant_id and i.order_id = o.id and i.state = any(${oneOf('filter[items.state]', list(value), itemStates)}))`,
  priority: (value) => compare('priority', 'integer', value),
  created_at: (value) => compare('created_at', 'time', value),
  last_transitioned_at: (value) => compare('last_transitioned_at', 'time', value),
  applied_at: (value) => compare('applied_at', 'time', value),
  completed_at: (value) => compare('completed_at', 'time', value),
  meta: metaContains,
  has_available_items: (value) =>
    value === false || value === 'false' || value === 0 || value === '0'
      ? null
      : sql`exists (select from wm.items i where i.tenant_id = o.tenant_id and i.order_id = o.id and i.state = 'queued')`,
}
export const filterNames = Object.keys(filters)
/** Filters that also work without the brackets, as the predecessor's clients send them. */
export const plainFilters = ['state', 'type', 'id', 'requested_by_type', 'requested_by_id'] as const

export function readFilters(given: Record<string, unknown>): Sql[] {
  return Object.entries(given).flatMap(([name, value]) => {
    const build = Object.hasOwn(filters, name) ? filters[name] : undefined
    if (!build)
      return refuse(
        `Requested filter(s) \`${name.slice(0, 64)}\` are not allowed. Allowed filter(s) are \`${filterNames.join(', ')}\`.`,
        nearestName(name, filterNames),
      )
    const where = build(value)
    return where ? [where] : []
  })
}

const sorts: Record<string, Sql> = {
  priority: sql`o.priority`,
  created_at: sql`o.created_at`,
  last_transitioned_at: sql`o.last_transitioned_at`,
  applied_at: sql`o.applied_at`,
  completed_at: sql`o.completed_at`,
  items_count: sql`o.items_total`,
}
export const sortNames = Object.keys(sorts)
/** Said for no other column: an index in the order of the list serves only those who ask for exactly its order. */
const mayBeEmpty: ReadonlySet<string> = new Set(['applied_at', 'completed_at'])

/** Sort terms with the id as a unique tiebreaker, so that pages never overlap. */
export function readSort(given: string | undefined): { orderBy: Sql[]; byCount: boolean } {
  const names = given === undefined ? ['-priority', 'created_at'] : list(given)
  const orderBy = names.map((term) => {
    const name = term.replace(/^-/, '')
    const column = Object.hasOwn(sorts, name) ? sorts[name] : undefined
    if (!column)
      return refuse(
        `Requested sort(s) \`${name.slice(0, 64)}\` is not allowed. Allowed sort(s) are \`${sortNames.join(', ')}\`.`,
        nearestName(name, sortNames),
      )
    if (!mayBeEmpty.has(name)) return term.startsWith('-') ? sql`${column} desc` : sql`${column}`
    return term.startsWith('-') ? sql`${column} desc nulls last` : sql`${column} asc nulls last`
  })
  return { orderBy: [...orderBy, sql`o.id`], byCount: names.some((name) => name.replace(/^-/, '') === 'items_count') }
}

export const includeNames = ['items', 'events', 'effects', 'itemsCount', 'itemsExists', 'eventsCount', 'eventsExists'] as const
export type Include = (typeof includeNames)[number]
export function readIncludes(given: string | undefined): Set<Include> {
  const names = given === undefined ? [] : list(given)
  for (const name of names)
    if (!includeNames.some((known) => known === name))
      refuse(
        `Requested include(s) \`${name.slice(0, 64)}\` are not allowed. Allowed include(s) are \`${includeNames.join(', ')}\`.`,
        nearestName(name, includeNames),
      )
  return new Set(names as Include[])
}

const selectable = {
  work_orders: [
    'id',
    'type',
    'type_version',
    'state',
    'priority',
    'revision',
    'requested_by_type',
    'requested_by_id',
    'created_at',
    'updated_at',
    'last_transitioned_at',
    'applied_at',
    'completed_at',
    'payload',
    'meta',
    'acceptance_config',
    'items_total',
    'items_submitted',
    'last_apply_error',
  ],
  items: [
    'id',
    'order_id',
    'ordinal',
    'type',
    'state',
    'input',
    'result',
    'evidence',
    'lease_expires_at',
    'leased_by_agent_id',
    'attempts',
    'max_attempts',
    'error',
    'rework',
    'parts_state',
    'submission_number',
    'created_at',
    'updated_at',
  ],
  events: ['id', 'seq', 'event', 'kind', 'payload', 'diff', 'message', 'created_at', 'actor_type', 'actor_id', 'item_id'],
} as const
type Resource = keyof typeof selectable

export function readFields(given: Record<string, unknown>): Partial<Record<Resource, string[]>> {
  const fields: Partial<Record<Resource, string[]>> = {}
  for (const [resource, value] of Object.entries(given)) {
    if (!Object.hasOwn(selectable, resource))
      refuse(
        `fields[${resource.slice(0, 64)}] is not known; use ${Object.keys(selectable)
          .map((one) => `fields[${one}]`)
          .join(', ')}.`,
      )
    const known: readonly string[] = selectable[resource as Resource]
    const names = list(value)
    for (const name of names)
      if (!known.includes(name))
        refuse(
          `Requested field(s) \`${resource}.${name.slice(0, 64)}\` are not allowed. Allowed field(s) are \`${known.join(', ')}\`.`,
          nearestName(name, known),
        )
    fields[resource as Resource] = names
  }
  return fields
}

/** Keeps the asked members of an object, in its own order. */
export function pick(object: Record<string, unknown>, names: readonly string[] | undefined): Record<string, unknown> {
  return names ? Object.fromEntries(Object.entries(object).filter(([name]) => names.includes(name))) : object
}
