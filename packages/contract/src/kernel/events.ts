/** Kinds of events: what a noun may have on the record. Past tense. */

/** P0 = decisions and applied changes … P3 = chatter; archiving keeps the lower numbers longer. */
export type EventPriority = 0 | 1 | 2 | 3

export interface EventSpec {
  /** One sentence: what happened. */
  readonly says: string
  readonly priority: EventPriority
  /** The noun that the event is about. */
  readonly subject: string
  /** The noun whose id keeps events in order: the subject itself, or the one that it is a part of. */
  readonly root: string
  /** The state in which the event leaves its subject, where it has another name than the event; see `stateAfter`. */
  readonly leaves_in?: string
}

type Entry = Pick<EventSpec, 'says' | 'priority' | 'leaves_in'>

/** `{ proposed: … }` of `order` becomes the kind `order.proposed`. */
export function defineEvents<const Noun extends string, const Entries extends Readonly<Record<string, Entry>>>(
  noun: Noun,
  entries: Entries,
  { root = noun }: { readonly root?: string } = {},
): { readonly [Name in keyof Entries & string as `${Noun}.${Name}`]: EventSpec } {
  const specs = Object.entries(entries).map(([name, entry]) => [`${noun}.${name}`, { ...entry, subject: noun, root }])
  return Object.fromEntries(specs) as { readonly [Name in keyof Entries & string as `${Noun}.${Name}`]: EventSpec }
}
