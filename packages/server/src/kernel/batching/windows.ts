/**
 * Requests of all groups and kinds share a statement: while one is in flight the next ones collect, and the next takes all that came.
 * No timer: a lone request goes out at once. A statement takes what is clean; what it has no answer for is asked `apart`, which may wait for
 * locks and says why. So nothing in a window can hold up its neighbours.
 */

export interface WindowsOptions<In, Out> {
  /**
   * Whose request it is (the tenant). Groups share a window fairly, and a group is in one at a time; one that makes windows fail is left out of
   * them for a while.
   */
  group(request: In): string
  /** Requests of one key never share a window, and keep their order; null: none. */
  conflict(request: In): string | null
  /** One statement for all; undefined: not this way. */
  run(requests: readonly In[]): Promise<ReadonlyArray<Out | undefined>>
  apart(request: In): Promise<Out>
  /** True when the failure says nothing about the single requests (the connection broke): all of them hear it, none is run again. */
  isCommon(error: unknown): boolean
  readonly maxSize: number
}

interface Waiting<In, Out> {
  readonly request: In
  resolve(answer: Out | Promise<Out>): void
  reject(error: unknown): void
}

interface Group<In, Out> {
  readonly name: string
  waiting: Waiting<In, Out>[]
}

/**
 * A second statement is only worth its commit when the first is slow, and only for other groups: two of the same one meet at the same rows, and
 * a third of what they carried had to be asked apart (bench/README.md).
 */
const secondAfterMs = 3
const mostInFlight = 2
/** How long a group whose own window failed goes its own way. */
const apartForMs = 10_000

export function createWindows<In, Out>(options: WindowsOptions<In, Out>): (request: In) => Promise<Out> {
  /** Those that have something waiting; who stands first goes first. */
  const groups = new Map<string, Group<In, Out>>()
  const apartUntil = new Map<string, number>()
  /** Groups whose requests are in a statement that is out. */
  const out = new Set<string>()
  let waiting = 0
  let inFlight = 0
  let lastStart = 0
  let isAsked = false

  /** The head of a group's queue, but for requests whose key is in the window already. */
  function takeFrom(group: Group<In, Out>, most: number, window: Waiting<In, Out>[], keys: Set<string>): void {
    const left: Waiting<In, Out>[] = []
    const heldBack = new Set<string>()
    let taken = 0
    for (const one of group.waiting) {
      const key = options.conflict(one.request)
      if (taken < most && (key === null || !(keys.has(key) || heldBack.has(key)))) {
        window.push(one)
        if (key !== null) keys.add(key)
        taken++
        continue
      }
      if (key !== null) heldBack.add(key)
      left.push(one)
    }
    group.waiting = left
  }

  /** An equal share for each group that waits, then whatever has room; who went last stands last the next time. */
  function take(): Waiting<In, Out>[] {
    const window: Waiting<In, Out>[] = []
    const keys = new Set<string>()
    const here = [...groups.values()].filter((group) => !out.has(group.name))
    const share = Math.max(4, Math.floor(options.maxSize / here.length))
    for (const most of [share, options.maxSize]) {
      for (const group of here) {
        if (window.length >= options.maxSize) break
        takeFrom(group, Math.min(most, options.maxSize - window.length), window, keys)
        groups.delete(group.name)
        if (group.waiting.length > 0) groups.set(group.name, group)
      }
    }
    waiting -= window.length
    return window
  }

  const toApart = (one: Waiting<In, Out>): void => one.resolve(options.apart(one.request))

  async function send(window: readonly Waiting<In, Out>[]): Promise<void> {
    try {
      const answers = await options.run(window.map((one) => one.request))
      window.forEach((one, n) => {
        const answer = answers[n]
        if (answer === undefined) toApart(one)
        else one.resolve(answer)
      })
    } catch (error) {
      if (options.isCommon(error)) return window.forEach((one) => one.reject(error))
      const groups = Map.groupBy(window, (one) => options.group(one.request))
      if (groups.size > 1) {
        for (const own of groups.values()) await send(own)
        return
      }
      apartUntil.set(options.group(window[0]!.request), performance.now() + apartForMs)
      window.forEach(toApart)
    }
  }

  function pump(): void {
    isAsked = false
    if (waiting === 0 || inFlight >= mostInFlight) return
    if (inFlight > 0 && performance.now() - lastStart < secondAfterMs) return
    const window = take()
    if (window.length === 0) return
    const names = new Set(window.map(({ request }) => options.group(request)))
    inFlight++
    lastStart = performance.now()
    for (const name of names) out.add(name)
    void send(window).finally(() => {
      inFlight--
      for (const name of names) out.delete(name)
      ask()
    })
  }

  /** Requests that have arrived by now are read first, and go along. */
  function ask(): void {
    if (isAsked || waiting === 0) return
    isAsked = true
    setImmediate(pump)
  }

  function isApart(group: string): boolean {
    if (apartUntil.size === 0) return false
    const until = apartUntil.get(group)
    if (until === undefined) return false
    if (performance.now() < until) return true
    apartUntil.delete(group)
    return false
  }

  return (request) => {
    const name = options.group(request)
    if (isApart(name)) return options.apart(request)
    return new Promise((resolve, reject) => {
      const group = groups.get(name)
      if (group) group.waiting.push({ request, resolve, reject })
      else groups.set(name, { name, waiting: [{ request, resolve, reject }] })
      waiting++
      ask()
    })
  }
}
