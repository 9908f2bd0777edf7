/** Turns between tenants, with gates instead of time: who is let in when somebody leaves. */
import sql from 'sql-template-tag'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeGate } from '../../../testing/row-gate.ts'
import { createTestDatabase, type TestDatabase } from '../../../testing/test-database.ts'
import { openDatabase } from './database.ts'
import { createFairQueue } from './fair-queue.ts'

/** Asks for a turn and keeps a list of who got in, in order. */
function askers(queue: ReturnType<typeof createFairQueue>) {
  const got: string[] = []
  const leaves: Array<() => void> = []
  return {
    got,
    ask(...tenants: string[]) {
      for (const tenant of tenants)
        void queue.enter(tenant).then(
          (leave) => {
            got.push(tenant)
            leaves.push(leave)
          },
          // Those who still wait when the test is over.
          () => {},
        )
    },
    /** The one who got in first leaves; whoever is next is in when this resolves. */
    async leave(n = 1) {
      for (; n > 0; n--) leaves.shift()!()
      await settled()
    },
    settled,
  }
}
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('turns', () => {
  it('are given at once while there are any, whoever asks', async () => {
    const { got, ask } = askers(createFairQueue(3, 1000))
    ask('a', 'a', 'a', 'b')
    await settled()
    expect(got).toEqual(['a', 'a', 'a'])
  })

  it('go to the tenant that holds the fewest: a flood of one waits behind itself', async () => {
    const { got, ask, leave } = askers(createFairQueue(4, 1000))
    ask(...Array.from({ length: 40 }, () => 'flood'))
    ask('b', 'c', 'b', 'b')
    await settled()
    await leave()
    expect(got.slice(4)).toEqual(['b'])
    await leave()
    expect(got.slice(4)).toEqual(['b', 'c'])
    // Now each of the three holds one: the one that has gone without the longest is next.
    await leave()
    expect(got.slice(4)).toEqual(['b', 'c', 'b'])
  })

  it('alternate between two floods', async () => {
    const { got, ask, leave } = askers(createFairQueue(1, 1000))
    ask('a', 'a', 'a', 'a', 'b', 'b', 'b')
    await settled()
    for (let n = 0; n < 6; n++) await leave()
    expect(got).toEqual(['a', 'b', 'a', 'b', 'a', 'b', 'a'])
  })

  it('given back twice count once', async () => {
    const queue = createFairQueue(1, 1000)
    const leave = await queue.enter('a')
    leave()
    leave()
    const { got, ask } = askers(queue)
    ask('b', 'c')
    await settled()
    expect(got).toEqual(['b'])
    expect(queue.waiting()).toBe(1)
  })

  it('that do not come in time are refused, and the place in the queue is gone', async () => {
    const queue = createFairQueue(1, 1)
    const leave = await queue.enter('a')
    await expect(queue.enter('b')).rejects.toMatchObject({ code: 'busy', details: { detail: expect.stringContaining('in use') } })
    expect(queue.waiting()).toBe(0)
    leave()
    const { got, ask } = askers(queue)
    ask('c')
    await settled()
    expect(got).toEqual(['c'])
  })
})

describe('the connections of a process', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterAll(() => database.drop())

  it('one tenant’s hundred transactions, all stuck behind a lock, give way to another tenant’s as soon as one of them ends', async () => {
    const [noisy, quiet] = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b']
    const pools = openDatabase({ url: database.runtimeUrl, maxConnections: 9, onError: () => {} })
    try {
      const gate = await closeGate(database, 'select pg_advisory_lock_shared(1), pg_advisory_xact_lock(2)')
      const order: string[] = []
      const flood = Array.from({ length: 100 }, (_, n) =>
        pools.app.transaction(noisy, async (tx) => {
          if (n < 4) await tx.query(sql`select pg_advisory_xact_lock_shared(2)`)
          order.push('noisy')
        }),
      )
      await gate.waiting(4)
      const asked = pools.app.transaction(quiet, async () => void order.push('quiet'))
      await gate.open()
      await asked
      await Promise.all(flood)
      // It has its turn when the first of the four that were in ends; how many of the flood's short ones end while it begins is the network's affair.
      expect(order.indexOf('quiet')).toBeLessThanOrEqual(30)
    } finally {
      await pools.close()
    }
  })
})
