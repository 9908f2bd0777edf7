/** "Did you mean": the known name that a wrong one was probably meant to be. */

/** Edits to turn one word into the other; two swapped neighbours count as one, the commonest slip of all. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min(at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1), at(i - 1, j) + 1, at(i, j - 1) + 1, swapped))
    }
  }
  return at(a.length, b.length)
}

/** The closest of `known`, or undefined when nothing is close: a far-fetched suggestion misleads more than none. */
export function nearestName(wanted: string, known: Iterable<string>): string | undefined {
  if (wanted.length > 200) return undefined
  let best: string | undefined
  let limit = wanted.length < 3 ? 0 : Math.max(1, Math.floor(wanted.length / 3))
  for (const name of known) {
    if (Math.abs(name.length - wanted.length) > limit) continue
    const distance = editDistance(wanted.toLowerCase(), name.toLowerCase())
    if (distance > limit || (best !== undefined && distance === limit)) continue
    best = name
    limit = distance
  }
  return best
}
