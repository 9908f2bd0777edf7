/** Answers of the server as people read them; programs get the JSON as it came. */
import type { Event, Item, Order } from './answers.ts'
import type { Context } from './context.ts'
import { inertJson, inertLine } from '../log/inert-text.ts'
import { orderLines } from './order-view.ts'
import type { Column } from './table.ts'

export const orderColumns: Column<Order>[] = [
  { title: 'ORDER', value: (order) => order.id },
  { title: 'TYPE', value: (order) => order.type, elastic: true },
  { title: 'STATE', value: (order) => order.state },
  { title: 'PRIORITY', value: (order) => order.priority },
  { title: 'ITEMS', value: (order) => `${order.items_submitted}/${order.items_total}` },
  { title: 'CREATED', value: (order) => moment(order.created_at) },
]

export const itemColumns: Column<Item>[] = [
  { title: 'ITEM', value: (item) => item.id },
  { title: '#', value: (item) => item.ordinal },
  { title: 'STATE', value: (item) => item.state },
  { title: 'ATTEMPT', value: (item) => `${item.attempts}/${item.max_attempts}` },
  { title: 'HELD BY', value: (item) => item.leased_by_agent_id, elastic: true },
  { title: 'LEASE ENDS', value: (item) => (item.lease_expires_at === null ? null : moment(item.lease_expires_at)) },
]

/** A time as people read it: UTC, to the second. */
export function moment(time: string): string {
  return time
    .replace('T', ' ')
    .replace(/\.\d+/, '')
    .replace(/\+00:00$/, 'Z')
}

/** One event on one line. */
export function eventLine(event: Event): string {
  const who = event.actor_id === null ? (event.actor_type ?? '') : `${event.actor_type} ${inertLine(event.actor_id)}`
  return [
    moment(event.created_at),
    event.kind.padEnd(24),
    who.padEnd(20),
    event.item_id ?? event.order_id ?? '',
    event.message === null ? '' : inertLine(event.message),
  ]
    .join('  ')
    .trimEnd()
}

type Row = Readonly<Record<string, unknown>>
const isRow = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value)
const cell = (value: unknown): string | null =>
  value === null || value === undefined
    ? null
    : typeof value === 'string'
      ? /^\d{4}-\d\d-\d\dT/.test(value)
        ? moment(value)
        : value
      : inertJson(value)
const hasColumns = (row: Row, ...names: string[]) => names.every((name) => name in row)

/** Any answer: JSON in a pipe; on a terminal orders, items, events and lists in their usual form, everything else member by member. */
export function showAnswer(context: Context, body: unknown): void {
  context.out.answer(body, () => {
    const members = Object.entries(isRow(body) ? body : { answer: body }).filter(
      ([name, value]) => !(name.startsWith('next_') && value === null),
    )
    // The page object of the predecessor: its links are for browsers.
    const shown = isRow(body) && 'links' in body ? members.filter(([name]) => ['data', 'total'].includes(name)) : members
    const width = Math.max(13, ...shown.map(([name, value]) => (Array.isArray(value) || isRow(value) ? 0 : name.length)))
    for (const [name, value] of shown) showMember(context, name, value, width)
  })
}

function showMember(context: Context, name: string, value: unknown, width: number): void {
  const { out } = context
  if (Array.isArray(value)) showList(context, name, value)
  else if (isRow(value) && hasColumns(value, 'items_total', 'type_version')) {
    for (const line of orderLines(value as unknown as Order, out.paint)) out.line(line)
  } else if (isRow(value)) {
    out.line(out.paint.dim(name))
    for (const [member, inner] of Object.entries(value))
      if (inner !== null) out.line(`  ${out.paint.dim(member.padEnd(22))} ${inertLine(cell(inner) ?? '–').slice(0, 400)}`)
  } else out.line(`${out.paint.dim(name.padEnd(width))} ${inertLine(cell(value) ?? '–')}`)
}

function showList(context: Context, name: string, list: readonly unknown[]): void {
  const { out } = context
  const rows = list.filter(isRow)
  const [first] = rows
  if (first === undefined || rows.length < list.length) {
    out.line(list.length === 0 ? `No ${name === 'data' ? 'rows' : name}.` : inertLine(inertJson(list)))
  } else if (hasColumns(first, 'kind', 'actor_type', 'created_at')) {
    for (const event of rows as unknown as Event[]) out.line(eventLine(event))
  } else if (hasColumns(first, 'items_total', 'priority')) out.table(orderColumns, rows as unknown as Order[], 'No orders.')
  else if (hasColumns(first, 'ordinal', 'attempts', 'lease_expires_at')) out.table(itemColumns, rows as unknown as Item[], 'No items.')
  else {
    const columns = Object.keys(first)
      .filter((column) => rows.some((row) => row[column] !== null && row[column] !== undefined))
      .slice(0, 8)
      .map((column): Column<Row> => ({
        title: column.toUpperCase().replaceAll('_', ' '),
        value: (row) => cell(row[column]),
        elastic: !/(^|_)id$/.test(column),
      }))
    out.table(columns, rows, `No ${name}.`)
  }
}
