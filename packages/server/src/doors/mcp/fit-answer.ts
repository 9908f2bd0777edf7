/**
 * An answer that a model can read: never larger than its share of a context, whatever is inside. Small members (ids, states, tokens) always
 * survive; what is long gives way first, and the answer says what was shortened and how to read the rest.
 *
 * The sizes are tokens as no tokenizer that we know exceeds them, guessed from the kinds of characters: real texts come out at a third to
 * two thirds of it. A tokenizer itself is megabytes of vocabulary, and each model has another.
 */

/** Text and structured content are two copies of one answer, and some clients show a model both: together at most 25,000. */
export const answerTokens = 11_500

export interface Shortened {
  /** JSON Pointer of what is not whole. */
  readonly at: string
  readonly unit: 'characters' | 'entries' | 'members'
  readonly total: number
  readonly shown: number
}

export interface Fitted {
  readonly value: unknown
  readonly shortened: readonly Shortened[]
}

const mark = '…'
/** What a piece must have so that it says anything. */
const leastShare = 40
/** For the list of what was shortened: more places than that help nobody. */
const placesTokens = 1_400

function weightOf(code: number): number {
  if (code < 0x20) return 6
  if ((code >= 0x61 && code <= 0x7a) || code === 0x20) return 0.45
  if ((code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a)) return 0.7
  if (code < 0x7f) return code === 0x22 || code === 0x5c ? 1.6 : 0.8
  return code < 0x800 ? 2 : code >= 0xd800 && code <= 0xdfff ? 2 : 3
}

/** Longer texts have no room anywhere as they are; how much too large they are is not worth a look at each character. */
const surelyTooLong = 60_000

export function textTokens(text: string): number {
  let sum = 2
  if (text.length > surelyTooLong) return sum + text.length * 0.45
  for (let n = 0; n < text.length; n++) sum += weightOf(text.charCodeAt(n))
  return sum
}

/** As much of the text as has room, never half a character. */
function cutText(text: string, room: number): string {
  let sum = 2 + weightOf(mark.charCodeAt(0))
  let end = 0
  while (end < text.length) {
    sum += weightOf(text.charCodeAt(end))
    if (sum > room) break
    end++
  }
  const code = text.charCodeAt(end - 1)
  return text.slice(0, code >= 0xd800 && code <= 0xdbff ? end - 1 : end)
}

/** More than any room: beyond it nobody counts on, so that a large answer costs no more than a small one. */
const enough = 30_000

class Costs {
  private readonly known = new Map<object, number>()

  of(value: unknown): number {
    if (typeof value === 'string') return textTokens(value)
    if (typeof value !== 'object' || value === null) return 1 + String(value).length * 0.7
    const known = this.known.get(value)
    if (known !== undefined) return known
    let sum = 2
    if (Array.isArray(value))
      for (const one of value) {
        if (sum > enough) break
        sum += 1 + this.of(one)
      }
    else
      for (const name of Object.keys(value)) {
        if (sum > enough) break
        sum += 2 + textTokens(name) + this.of((value as Record<string, unknown>)[name])
      }
    this.known.set(value, sum)
    return sum
  }
}

/** The size of a value as JSON text; of a very large one, that it is. */
export const tokensOf = (value: unknown): number => new Costs().of(value)

/** The value, or as much of it as has room in `tokens` beside the list of what was shortened. */
export function fitted(value: unknown, tokens: number, root = ''): Fitted {
  const costs = new Costs()
  const shortened: Shortened[] = []
  let roomForPlaces = placesTokens
  if (costs.of(value) <= tokens) return { value, shortened }
  return { value: fit(value, tokens - placesTokens, root), shortened }

  function fit(given: unknown, room: number, at: string): unknown {
    if (costs.of(given) <= room) return given
    if (typeof given === 'string') {
      const shown = cutText(given, room)
      note({ at, unit: 'characters', total: given.length, shown: shown.length })
      return shown + mark
    }
    if (typeof given !== 'object' || given === null) return given
    return Array.isArray(given) ? fitList(given, room, at) : fitObject(given as Record<string, unknown>, room, at)
  }

  /** From the front, as long as what comes has a share that says something. */
  function fitList(list: readonly unknown[], room: number, at: string): unknown[] {
    const left = room - 2
    const kept = list.slice(0, Math.max(0, Math.floor(left / leastShare)))
    const shown = whole(list, left) ?? kept
    if (shown.length < list.length) note({ at, unit: 'entries', total: list.length, shown: shown.length })
    const shares = fairShares(
      shown.map((one) => 1 + costs.of(one)),
      left,
    )
    return shown.map((one, n) => fit(one, shares[n]! - 1, `${at}/${n}`))
  }

  /** The entries at the front that have room as they are, where those are most of what could be shown at all. */
  function whole(list: readonly unknown[], room: number): readonly unknown[] | undefined {
    let sum = 0
    for (const [n, one] of list.entries()) {
      sum += 1 + costs.of(one)
      if (sum > room) return n >= 3 ? list.slice(0, n) : undefined
    }
    return list
  }

  function fitObject(object: Readonly<Record<string, unknown>>, room: number, at: string): Record<string, unknown> {
    const members = Object.entries(object)
    const nameCost = (name: string): number => 2 + textTokens(name)
    const left = room - 2
    const kept: [string, unknown][] = []
    let least = 0
    for (const [name, inner] of members) {
      least += nameCost(name) + Math.min(costs.of(inner), leastShare)
      if (least > left) break
      kept.push([name, inner])
    }
    if (kept.length < members.length) note({ at, unit: 'members', total: members.length, shown: kept.length })
    const shares = fairShares(
      kept.map(([, inner]) => costs.of(inner)),
      left - kept.reduce((sum, [name]) => sum + nameCost(name), 0),
    )
    return Object.fromEntries(
      kept.map(([name, inner], n) => [name, fit(inner, shares[n]!, `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`)]),
    )
  }

  function note(one: Shortened): void {
    const cost = textTokens(one.at) + 40
    if (cost > roomForPlaces) return
    roomForPlaces -= cost
    shortened.push(one)
  }
}

/** Who needs little gets it; the rest is shared alike by those who need more. */
function fairShares(wanted: readonly number[], room: number): number[] {
  const shares = wanted.map(() => 0)
  const byNeed = wanted.map((_, n) => n).sort((a, b) => wanted[a]! - wanted[b]!)
  let left = room
  byNeed.forEach((n, done) => {
    shares[n] = Math.min(wanted[n]!, left / (byNeed.length - done))
    left -= shares[n]
  })
  return shares
}
