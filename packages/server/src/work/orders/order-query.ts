/** The query language of GET /orders: filters, sorts, includes, sparse fields, page; refused by name when it is not known. */
import { isUuid } from '../../kernel/uuid.ts'
import { itemStates, nearestName, orderStates, WorkError } from '@work-manager/contract'
import { isCalendarTime } from '../../kernel/operations/calendar-time.ts'

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

/** A condition on orders, read and checked; `list-orders.store.ts` makes SQL of it. */
export type OrderCondition =
  | { readonly on: 'id' | 'state' | 'type' | 'requested_by_type' | 'requested_by_id' | 'items.state'; readonly anyOf: readonly string[] }
  | { readonly on: 'priority'; readonly operator: Operator; readonly operand: number }
  | { readonly on: TimeColumn; readonly operator: Operator; readonly operand: string }
  /** Contains one of the readings: `"42"` and 42 both match what was stored as 42 or "42". */
  | { readonly on: 'meta'; readonly containsAnyOf: readonly string[] }
  | { readonly on: 'has_available_items' }
  /** Behind the last row of the page before, in the default order. */
  | { readonly on: 'position'; readonly priority: number; readonly createdAt: string; readonly id: string }

const operators = ['>=', '<=', '<>', '>', '<', '='] as const
export type Operator = (typeof operators)[number]
export type TimeColumn = 'created_at' | 'last_transitioned_at' | 'applied_at' | 'completed_at'

/** `>50`, `>=2026-01-01T00:00:00Z`; a comma list is ANDed. */
function terms(name: string, value: unknown): Array<{ operator: Operator; operand: string }> {
  const read = list(value).map((text) => {
    const [, operator = '=', operand = ''] = /^(>=|<=|<>|>|<|=)?(.*)$/s.exec(text)!
    return { operator: operator as Operator, operand }
  })
  return read.length === 0 ? refuse(`filter[${name}] is empty.`) : read
}

const byPriority = (value: unknown): OrderCondition[] =>
  terms('priority', value).map(({ operator, operand }) => {
    if (!/^-?\d{1,9}$/.test(operand))
      refuse(`filter[priority] takes an integer with an optional operator (${operators.join(' ')}), such as >50.`)
    return { on: 'priority', operator, operand: Number(operand) }
  })

const byTime =
  (on: TimeColumn) =>
  (value: unknown): OrderCondition[] =>
    terms(on, value).map(({ operator, operand }) => {
      if (!isCalendarTime(operand)) refuse(`filter[${on}] takes a time with an optional operator, such as >=2026-01-31T00:00:00Z.`)
      return { on, operator, operand }
    })

/** `key:value`, a JSON object, or plain containment. */
function byMeta(value: unknown): OrderCondition[] {
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
    return [{ on: 'meta', containsAnyOf: [wanted] }]
  }
  const colon = text.indexOf(':')
  if (colon < 1) refuse('filter[meta] takes key:value or a JSON object.')
  const key = text.slice(0, colon)
  const plain = text.slice(colon + 1)
  const readings: unknown[] = [plain]
  if (plain !== '' && !Number.isNaN(Number(plain))) readings.push(Number(plain))
  if (plain === 'true' || plain === 'false') readings.push(plain === 'true')
  return [{ on: 'meta', containsAnyOf: readings.map((one) => JSON.stringify({ [key]: one })) }]
}

function byId(value: unknown): OrderCondition[] {
  const ids = list(value)
  for (const id of ids) if (!isUuid(id)) refuse(`filter[id] takes UUIDs; '${id.slice(0, 64)}' is not one.`)
  return [{ on: 'id', anyOf: ids }]
}

const filters: Record<string, (value: unknown) => OrderCondition[]> = {
  id: byId,
  state: (value) => [{ on: 'state', anyOf: oneOf('filter[state]', list(value), orderStates) }],
  type: (value) => [{ on: 'type', anyOf: list(value) }],
  requested_by_type: (value) => [{ on: 'requested_by_type', anyOf: list(value) }],
  requested_by_id: (value) => [{ on: 'requested_by_id', anyOf: list(value) }],
  'items.state': (value) => [{ on: 'items.state', anyOf: oneOf('filter[items.state]', list(value), itemStates) }],
  priority: byPriority,
  created_at: byTime('created_at'),
  last_transitioned_at: byTime('last_transitioned_at'),
  applied_at: byTime('applied_at'),
  completed_at: byTime('completed_at'),
  meta: byMeta,
  has_available_items: (value) =>
    value === false || value === 'false' || value === 0 || value === '0' ? [] : [{ on: 'has_available_items' }],
}
export const filterNames = Object.keys(filters)
/** Filters that also work without the brackets, as the predecessor's clients send them. */
export const plainFilters = ['state', 'type', 'id', 'requested_by_type', 'requested_by_id'] as const

export function readFilters(given: Record<string, unknown>): OrderCondition[] {
  return Object.entries(given).flatMap(([name, value]) => {
    const read = Object.hasOwn(filters, name) ? filters[name] : undefined
    if (!read)
      return refuse(
        `Requested filter(s) \`${name.slice(0, 64)}\` are not allowed. Allowed filter(s) are \`${filterNames.join(', ')}\`.`,
        nearestName(name, filterNames),
      )
    return read(value)
  })
}

export const sortNames = ['priority', 'created_at', 'last_transitioned_at', 'applied_at', 'completed_at', 'items_count'] as const
export interface SortTerm {
  readonly by: (typeof sortNames)[number]
  readonly descending: boolean
}

/** Sort terms as asked; the store adds the id as a unique tiebreaker, so that pages never overlap. */
export function readSort(given: string | undefined): SortTerm[] {
  const names = given === undefined ? ['-priority', 'created_at'] : list(given)
  return names.map((term) => {
    const name = term.replace(/^-/, '')
    const by = sortNames.find((known) => known === name)
    if (!by)
      return refuse(
        `Requested sort(s) \`${name.slice(0, 64)}\` is not allowed. Allowed sort(s) are \`${sortNames.join(', ')}\`.`,
        nearestName(name, sortNames),
      )
    return { by, descending: term.startsWith('-') }
  })
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
