import { describe, expect, it } from 'vitest'
import { inWaves } from './in-waves.ts'
import { delivered, type Message, type Outcome, PublishError, refused } from './publisher.ts'

const message = (key: string, seq: number): Message => ({
  tenantId: 't',
  seq,
  id: `${key}${seq}`,
  kind: 'order.stale',
  type: 't',
  key,
  body: '{}',
})
const batch = [message('a', 1), message('a', 2), message('b', 3), message('a', 4), message('c', 5), message('b', 6)]
const limits = { size: 2, timeoutMs: 5_000 }
const failed: Outcome = { is: 'failed', error: new PublishError('failed', 'no') }

/** Sends with these answers; gives the waves and what became of each message. */
async function run(answers: Readonly<Record<string, Outcome>> = {}) {
  const waves: string[][] = []
  const outcomes = await inWaves(batch, limits, async (wave) => {
    waves.push(wave.map(({ id }) => id))
    return wave.map(({ id }) => answers[id] ?? delivered)
  })
  return { waves, outcomes: outcomes.map(({ is }) => is) }
}

describe('waves', () => {
  it('hold one message of each key, in order, and no more than fit', async () => {
    expect((await run()).waves).toEqual([
      ['a1', 'b3'],
      ['a2', 'c5'],
      ['a4', 'b6'],
    ])
  })

  it('let nothing of a key pass a message of it that was refused; other keys go on', async () => {
    const { waves, outcomes } = await run({ a2: refused('no') })
    expect(waves.flat()).not.toContain('a4')
    expect(outcomes).toEqual(['delivered', 'refused', 'delivered', 'held', 'delivered', 'delivered'])
  })

  it('end at a failure, which says nothing about one message', async () => {
    const { waves, outcomes } = await run({ b3: failed })
    expect(waves).toHaveLength(1)
    expect(outcomes).toEqual(['delivered', 'held', 'failed', 'held', 'held', 'held'])
  })

  it('that get no answer in time count as failed, those before as delivered', async () => {
    const outcomes = await inWaves(batch, { size: 2, timeoutMs: 50 }, (wave) =>
      wave[0]!.id === 'a1' ? Promise.resolve(wave.map(() => delivered)) : new Promise<never>(() => {}),
    )
    expect(outcomes.map(({ is }) => is)).toEqual(['delivered', 'failed', 'delivered', 'held', 'failed', 'held'])
  })
})
