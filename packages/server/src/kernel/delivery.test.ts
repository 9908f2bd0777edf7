import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { type DeliveryKind, type DeliveryOutcome, deliveryService, type HeldDelivery, nothingHappened } from './delivery.ts'
import type { Round } from './service.ts'

interface Parcel extends HeldDelivery {
  readonly name: string
}

/** A kind whose rows stand in memory, and what was settled of them. */
function kindOf(parcels: readonly Parcel[], call: DeliveryKind<Parcel, Parcel>['call'], more: Partial<DeliveryKind<Parcel, Parcel>> = {}) {
  const settled: Array<[string, DeliveryOutcome]> = []
  let rounds = 0
  const kind: DeliveryKind<Parcel, Parcel> = {
    name: 'test',
    everyMs: 1000,
    wakeOn: [],
    timeoutMs: 20,
    backoff: { baseSeconds: 1, maxSeconds: 8, jitterSeconds: 0 },
    batch: 10,
    findDue: () => Promise.resolve(parcels),
    findLost: () => Promise.resolve([]),
    take: (parcel) => Promise.resolve(parcel),
    markLost: () => Promise.resolve(true),
    call,
    settle(parcel, outcome) {
      settled.push([parcel.name, outcome])
      return Promise.resolve()
    },
    title: ({ name }) => `parcel ${name}`,
    afterwards: () => void rounds++,
    ...more,
  }
  return { service: deliveryService(kind, { log: pino({ level: 'silent' }) }), settled, rounds: () => rounds }
}
const round: Round = { signal: new AbortController().signal, moved: () => {} }
const parcel = (name: string, deduplicates: boolean, attempts = 1): Parcel => ({ id: name, name, deduplicates, attempts })

describe('a delivery', () => {
  it('keeps the receipt', async () => {
    const { service, settled, rounds } = kindOf([parcel('a', false)], () => Promise.resolve({ ticket: 7 }))
    expect(await service.run(round)).toEqual({ done: 1, more: false })
    expect(settled).toEqual([['a', { state: 'delivered', receipt: { ticket: 7 } }]])
    expect(rounds()).toBe(1)
  })

  it('that failed is tried again only where a repeat does no harm, else its outcome is unknown', async () => {
    const { service, settled } = kindOf([parcel('safe', true, 3), parcel('once', false)], () => Promise.reject(new Error('reset')))
    await service.run(round)
    expect(settled[0]).toEqual(['safe', { state: 'pending', error: { message: 'reset', attempt: 3 }, retryInSeconds: expect.any(Number) }])
    expect((settled[0]![1] as { retryInSeconds: number }).retryInSeconds).toBeLessThanOrEqual(4)
    expect(settled[1]).toEqual(['once', { state: 'unknown', error: { message: 'reset', attempt: 1 } }])
  })

  it('that certainly did nothing is tried again in any case', async () => {
    const { service, settled } = kindOf([parcel('once', false)], () => Promise.reject(nothingHappened('no route')))
    await service.run(round)
    expect(settled[0]![1].state).toBe('pending')
  })

  it('that never answers ends at its limit, named, and holds up nobody', async () => {
    const { service, settled } = kindOf([parcel('hangs', false), parcel('b', false)], ({ name }) =>
      name === 'hangs' ? new Promise(() => {}) : Promise.resolve(null),
    )
    await service.run(round)
    expect(settled.map(([name, { state }]) => [name, state])).toEqual([
      ['hangs', 'unknown'],
      ['b', 'delivered'],
    ])
    expect((settled[0]![1] as { error: { message: string } }).error.message).toBe('parcel hangs took longer than 20 ms')
  })

  it('that somebody else took is left alone, and one that cannot be taken stops nobody', async () => {
    const { service, settled } = kindOf([parcel('theirs', true), parcel('broken', true), parcel('ours', true)], () => Promise.resolve(1), {
      take: ({ name }) =>
        name === 'broken' ? Promise.reject(new Error('no')) : Promise.resolve(name === 'theirs' ? undefined : parcel(name, true)),
    })
    expect((await service.run(round)).done).toBe(1)
    expect(settled.map(([name]) => name)).toEqual(['ours'])
  })
})
