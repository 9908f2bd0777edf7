/** "Did you mean …": the known text nearest to what was sent. */

const longestCompared = 120

/** The candidate with the fewest edits to `text`, unless more than half of the text would have to change. */
export function closest<T extends { readonly text: string }>(text: string, candidates: readonly T[]): T | null {
  if (text.length > longestCompared) return null
  let best: T | null = null
  let fewest = Math.floor(text.length / 2) + 1
  for (const candidate of candidates) {
    const edits = editDistance(text, candidate.text)
    if (edits < fewest) [best, fewest] = [candidate, edits]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
