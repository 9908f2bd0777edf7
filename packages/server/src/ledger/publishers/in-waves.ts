/** Fast and in order: many keys at once, of each key one message at a time. */
import { asPublishError, held, type Message, type Outcome } from './publisher.ts'
import { withinLimit } from './time-limit.ts'

/** Sends one wave, within the limit; whatever goes wrong with it as a whole is the outcome of each of its messages. */
async function sent(
  wave: readonly Message[],
  timeoutMs: number,
  send: (wave: readonly Message[]) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  try {
    return await withinLimit(send(wave), timeoutMs, 'the receiver')
  } catch (error) {
    return wave.map(() => ({ is: 'failed', error: asPublishError(error) }))
  }
}

/**
 * Sends waves of at most `size` messages, each of another key. What comes after a message that was not delivered stays unsent: of its
 * key when it was refused, of every key when it failed, because then the connection cannot be trusted. No wave is begun after
 * `timeoutMs`: a slow receiver then gets the rest in the next batch, and what it has confirmed is known.
 */
export async function inWaves(
  messages: readonly Message[],
  limits: { readonly size: number; readonly timeoutMs: number },
  send: (wave: readonly Message[]) => Promise<readonly Outcome[]>,
): Promise<Outcome[]> {
  const outcomes = new Map<Message, Outcome>()
  const blocked = new Set<string>()
  const end = performance.now() + limits.timeoutMs
  let waiting: readonly Message[] = messages
  for (let broken = false; !broken && performance.now() < end;) {
    const { wave, later } = nextWave(waiting, blocked, limits.size)
    if (wave.length === 0) break
    const answers = await sent(wave, limits.timeoutMs, send)
    for (const [n, message] of wave.entries()) {
      const outcome = answers[n]!
      outcomes.set(message, outcome)
      if (outcome.is !== 'delivered') blocked.add(message.key)
      if (outcome.is === 'failed') broken = true
    }
    waiting = later
  }
  return messages.map((message) => outcomes.get(message) ?? held)
}

function nextWave(waiting: readonly Message[], blocked: ReadonlySet<string>, size: number): { wave: Message[]; later: Message[] } {
  const wave: Message[] = []
  const later: Message[] = []
  const keys = new Set(blocked)
  for (const message of waiting) {
    if (wave.length < size && !keys.has(message.key)) wave.push(message)
    else later.push(message)
    // Also of one that found no room: nothing of its key may overtake it.
    keys.add(message.key)
  }
  return { wave, later }
}
