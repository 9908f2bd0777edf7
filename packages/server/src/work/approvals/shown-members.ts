/** What somebody was shown of an order, in short hashes, and what has changed since. Pure. */
import { digestOf } from './digest.ts'

/** Of SHA-256, in hex: enough to tell two versions of one member apart, and no proof of anything. */
const kept = 12
/** Of a longer order only the order itself is compared, and the whole by its digest. */
const mostItems = 2000
const mostChanges = 50

export interface ShownMembers {
  readonly order: Readonly<Record<string, string>>
  /** Ordinal → its id and its members; null: there were too many to keep. */
  readonly items: Readonly<Record<string, { readonly id: string; readonly members: Readonly<Record<string, string>> }>> | null
}

export interface Change {
  /** A JSON pointer into the order as it is decided on: `/payload`, `/items/3/result`; the number is the item's ordinal. */
  readonly pointer: string
  readonly change: 'added' | 'changed' | 'removed'
  readonly item_id?: string
}

const shortened = (members: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(members).map(([name, digest]) => [name, digest.replace('sha256:', '').slice(0, kept)]))

/** `order` and `members` as `membersOf` hashes them. */
export function shownMembers(
  order: Readonly<Record<string, string>>,
  items: ReadonlyArray<{ readonly id: string; readonly ordinal: number; readonly members: Readonly<Record<string, string>> }>,
): ShownMembers {
  return {
    order: shortened(order),
    items:
      items.length > mostItems
        ? null
        : Object.fromEntries(items.map(({ id, ordinal, members }) => [String(ordinal), { id, members: shortened(members) }])),
  }
}

function compared(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
  place: string,
  of: Pick<Change, 'item_id'>,
): Change[] {
  const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')
  const absent = shortened({ absent: digestOf(null) }).absent
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].flatMap((name) => {
    // A member that one of the two versions of the program did not know is the same as one that is null.
    const [was, is] = [before[name] ?? absent, now[name] ?? absent]
    if (was === is) return []
    const change = was === absent ? 'added' : is === absent ? 'removed' : 'changed'
    return [{ pointer: `${place}/${escaped(name)}`, change, ...of }]
  })
}

/** At most fifty changes, the order's own first; `omitted`: how many more there are, null when nobody can say. */
export function whatChanged(before: ShownMembers, now: ShownMembers): { changes: Change[]; omitted: number | null } {
  const changes = compared(before.order, now.order, '', {})
  if (before.items === null || now.items === null) return { changes, omitted: null }
  const ordinals = [...new Set([...Object.keys(before.items), ...Object.keys(now.items)])].toSorted((a, b) => Number(a) - Number(b))
  for (const ordinal of ordinals) {
    const [was, is] = [before.items[ordinal], now.items[ordinal]]
    const place = `/items/${ordinal}`
    if (was && is) changes.push(...compared(was.members, is.members, place, { item_id: is.id }))
    else changes.push({ pointer: place, change: was ? 'removed' : 'added', item_id: (was ?? is)!.id })
  }
  return { changes: changes.slice(0, mostChanges), omitted: Math.max(0, changes.length - mostChanges) }
}
