/**
 * Turns of a group (a tenant): few statements are in flight at a time, whatever their kind, and whoever waits with most requests goes next.
 * Fewer at a time are larger ones, and the fixed cost of a statement and its commit is most of what a small one costs.
 */

export interface Waiter {
  /** Requests that wait for this turn. */
  size(): number
  /** Uses the turn. */
  go(): Promise<void>
}
export interface Turns {
  /** `waiter` goes when it is its turn; it asks once for each turn. */
  ask(group: string, waiter: Waiter): void
}

/** A statement that waits for somebody's lock gives its turn on after this long, so that it does not hold up everybody. */
const longestTurnMs = 50
/** Being passed over counts like this many requests: nobody waits for ever behind longer queues. */
const passedOver = 16

interface Group {
  running: number
  readonly waiting: Map<Waiter, number>
}

export function createTurns(most: number): Turns {
  const groups = new Map<string, Group>()

  function choose({ waiting }: Group): Waiter {
    let chosen: Waiter | undefined
    let highest = -1
    for (const [waiter, passed] of waiting) {
      const weight = waiter.size() + passed * passedOver
      if (weight > highest) [chosen, highest] = [waiter, weight]
      waiting.set(waiter, passed + 1)
    }
    waiting.delete(chosen!)
    return chosen!
  }

  function start(name: string, group: Group): void {
    while (group.running < most && group.waiting.size > 0) {
      const waiter = choose(group)
      let isOver = false
      const end = (): void => {
        if (isOver) return
        isOver = true
        clearTimeout(timer)
        group.running--
        // Requests that have arrived by now are read first, and go with the next turn.
        setImmediate(start, name, group)
      }
      const timer = setTimeout(end, longestTurnMs)
      group.running++
      void waiter.go().finally(end)
    }
    if (group.running === 0 && group.waiting.size === 0 && groups.get(name) === group) groups.delete(name)
  }

  return {
    ask(name, waiter) {
      let group = groups.get(name)
      if (!group) groups.set(name, (group = { running: 0, waiting: new Map() }))
      group.waiting.set(waiter, 0)
      start(name, group)
    },
  }
}
