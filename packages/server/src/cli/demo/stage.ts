/**
 * What the scripted agents share for the length of one order: the numbers of the items, how many are done, and the two cues of the
 * one scene that needs timing (the silent agent speaks up only after somebody else holds its item). Nothing here talks to the server.
 */
import type { WorkManagerError } from '@work-manager/sdk'
import type { LeasedItem, Order } from './client.ts'
import type { Narrator } from './narration.ts'

/** What happened, for the summary at the end. */
export interface Witnessed {
  inventedQuoteRefused?: WorkManagerError
  staleHandInRefused?: WorkManagerError
  partsAssembled: number
  resultsFromParts: number
}

export class Stage {
  readonly orderId: string
  readonly witnessed: Witnessed = { partsAssembled: 0, resultsFromParts: 0 }
  readonly #narrator: Narrator
  readonly #numbers: ReadonlyMap<string, number>
  readonly #done: Set<string>
  readonly #left = new AbortController()
  readonly #takenOver = Promise.withResolvers<void>()
  readonly #lateTry = Promise.withResolvers<void>()
  #silentItem: string | null = null

  constructor(order: Order, narrator: Narrator) {
    const items = order.items ?? []
    this.orderId = order.id
    this.#narrator = narrator
    this.#numbers = new Map(items.map((item) => [item.id, item.ordinal + 1]))
    this.#done = new Set(items.filter((item) => item.state === 'submitted').map((item) => item.id))
    narrator.showProgress(this.#done.size, items.length)
  }

  /** Aborted when no item is left to do. */
  get left(): AbortSignal {
    return this.#left.signal
  }

  nameOf(item: LeasedItem): string {
    return `item ${this.#numbers.get(item.id) ?? item.id}`
  }

  /** An agent has taken an item; says so only where it is news that the item was somebody else's before. */
  taken(who: string, item: LeasedItem): void {
    if (item.attempt === 1) return
    if (item.last_error?.code === 'lease_expired')
      this.#narrator.say('server', `${this.nameOf(item)}: its agent fell silent; lease expired, reclaimed`)
    this.#narrator.say(who, `takes over ${this.nameOf(item)} (attempt ${item.attempt})`)
    if (item.id === this.#silentItem) this.#takenOver.resolve()
  }

  handedIn(who: string, item: LeasedItem, orderState: string, how: string): void {
    this.#done.add(item.id)
    this.#narrator.showProgress(this.#done.size, this.#numbers.size)
    this.#narrator.say(who, `${this.nameOf(item)}: ${how}`, 'good')
    const onlyTheSilentOneIsOpen =
      this.#silentItem !== null && !this.#done.has(this.#silentItem) && this.#done.size === this.#numbers.size - 1
    if (onlyTheSilentOneIsOpen) this.#narrator.say('server', 'the last item stays leased until its lease runs out', 'quiet')
    if (orderState === 'submitted') this.closeForAgents()
  }

  /** The order is out of the agents' hands. */
  closeForAgents(): void {
    this.#left.abort()
    this.#takenOver.resolve()
    this.#lateTry.resolve()
  }

  /** The silent agent holds this item. Resolves when another agent has taken it over, or the order is done without that. */
  fellSilent(item: LeasedItem): Promise<void> {
    this.#silentItem = item.id
    return this.#takenOver.promise
  }

  lateTryIsOver(): void {
    this.#lateTry.resolve()
  }

  /** Whoever took the silent agent's item over lets it speak up first; everybody else goes on at once. */
  async cueForHandIn(item: LeasedItem): Promise<void> {
    if (item.id === this.#silentItem) await this.#lateTry.promise
  }
}
