/** An order as a reviewer sees it: everything that bears on the decision, in our words around the agent's inert text. */
import type { Item, Order } from './answers.ts'
import type { Output } from './output.ts'
import { inertJson, inertLine } from '../log/inert-text.ts'

const longest = 400
const mostEntries = 25

/** How many pieces of evidence a document holds, wherever it keeps them: objects that name a source and prove it by hash or quote. */
export function countEvidence(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const entry = value as Record<string, unknown>
  const isEvidence =
    !Array.isArray(value) &&
    ['url', 'path', 'file'].some((name) => typeof entry[name] === 'string') &&
    ['quote', 'hash', 'sha256'].some((name) => typeof entry[name] === 'string')
  return (isEvidence ? 1 : 0) + Object.values(entry).reduce<number>((sum, member) => sum + countEvidence(member), 0)
}

const evidenceOf = (item: Item) => countEvidence(item.evidence) + countEvidence(item.result)

function shortened(value: unknown): string {
  const text = inertLine(inertJson(value))
  return text.length > longest ? `${text.slice(0, longest)}… (${text.length - longest} more characters; --json shows all)` : text
}

/** The order in a few labelled lines. */
export function orderLines(order: Order, paint: Output['paint']): string[] {
  const items = order.items ?? []
  const evidence = items.reduce((sum, item) => sum + evidenceOf(item), 0)
  const lines: [string, string][] = [
    ['order', order.id],
    ['type', `${inertLine(order.type)} (version ${order.type_version})`],
    ['state', `${order.state}${order.revision > 1 ? `, revision ${order.revision}` : ''}`],
    ['requested by', order.requested_by_id === null ? '–' : `${order.requested_by_type} ${inertLine(order.requested_by_id)}`],
    ['payload', shortened(order.payload)],
    ['items', `${order.items_submitted} of ${order.items_total} handed in, ${evidence} ${evidence === 1 ? 'piece' : 'pieces'} of evidence`],
  ]
  if (order.digest) lines.push(['digest', order.digest])
  if (order.last_apply_error) lines.push(['last apply', shortened(order.last_apply_error)])
  return lines.map(([label, text]) => `${paint.dim(label.padEnd(13))} ${text}`)
}

/** What each item would bring: its result member by member, lists entry by entry. */
export function contentLines(order: Order, paint: Output['paint']): string[] {
  return (order.items ?? []).flatMap((item) => {
    const evidence = evidenceOf(item)
    return [
      `${paint.dim(`item ${item.ordinal}`.padEnd(13))} ${item.state}, ${evidence} ${evidence === 1 ? 'piece' : 'pieces'} of evidence`,
      ...memberLines(item.assembled_result ?? item.result),
    ]
  })
}

function memberLines(result: unknown): string[] {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return [`  ${shortened(result)}`]
  return Object.entries(result).flatMap(([name, value]) => {
    if (!Array.isArray(value)) return [`  ${inertLine(name)}: ${shortened(value)}`]
    const shown = value.slice(0, mostEntries).map((entry) => `    ${shortened(entry)}`)
    const rest = value.length - shown.length
    return [
      `  ${inertLine(name)} (${value.length}):`,
      ...shown,
      ...(rest > 0 ? [`    … and ${rest} more; work-manager orders show --json has them all`] : []),
    ]
  })
}
