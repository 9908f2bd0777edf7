/** What a guarded move does when its row is not where its caller, who holds the row's lock, saw it. */

/** A bug of ours, never of whoever asked: nothing can move a row under our lock, so the caller did not hold it or read it too early. */
export class MoveMissed extends Error {
  constructor(noun: string, ids: readonly string[], from: string, to: string) {
    super(`${noun} ${ids.join(', ')}: not in '${from}' under our lock, so not moved to '${to}'.`)
    this.name = 'MoveMissed'
  }
}
