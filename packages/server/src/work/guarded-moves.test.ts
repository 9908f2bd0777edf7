/** Moves of orders and items: legal ones compile, and one that misses its row under the lock is an error, never a silence. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStory, type Story } from '../../testing/story.ts'
import { MoveMissed } from '../kernel/store/guarded-moves.ts'
import { lockItemsOfOrder, moveItems } from './items/store.ts'
import { lockOrder, moveOrder } from './orders/store.ts'
import type { Tx } from '../kernel/store/tx.ts'

let story: Story
let tenantId: string
beforeAll(async () => {
  story = await startStory()
  tenantId = (await story.server.manager.tenants.ensure('acme', 'Acme')).id
})
afterAll(() => story.server.stop())

const inTransaction = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => story.server.manager.tools.db.transaction(tenantId, work)

describe('a move that misses its row', () => {
  it('of an order ends the transaction with the order as it was', async () => {
    const { id } = await story.propose()
    const missed = inTransaction(async (tx) => {
      await lockOrder(tx, id)
      const at = await tx.clock()
      await moveOrder(tx, id, 'queued', 'cancelled', at)
      await moveOrder(tx, id, 'queued', 'failed', at)
    })
    await expect(missed).rejects.toThrow(new MoveMissed('order', [id], 'queued', 'failed'))
    expect((await story.order(id)).state).toBe('queued')
  })

  it('of several items names those that were elsewhere, and moves none of them', async () => {
    const { id } = await story.propose({ messages: ['one', 'two', 'three'] })
    const { id: taken } = await story.take(id)
    const missed = inTransaction(async (tx) => {
      const ids = (await lockItemsOfOrder(tx, id)).map((item) => item.id)
      await moveItems(tx, ids, 'queued', 'failed', await tx.clock())
    })
    await expect(missed).rejects.toThrow(new MoveMissed('item', [taken], 'queued', 'failed'))
    expect((await story.order(id)).items.map((item: any) => item.state).toSorted()).toEqual(['leased', 'queued', 'queued'])
  })

  it('of no items at all is none', async () => {
    await inTransaction(async (tx) => moveItems(tx, [], 'queued', 'failed', await tx.clock()))
  })
})

it('compiles for the moves of the machine only', () => {
  const moves = (tx: Tx, id: string, at: string) => [
    moveOrder(tx, id, 'submitted', 'approved', at),
    // @ts-expect-error what is done stays done
    moveOrder(tx, id, 'completed', 'queued', at),
    // @ts-expect-error nothing is applied without a decision
    moveOrder(tx, id, 'submitted', 'applied', at),
    moveItems(tx, [id], 'leased', 'in_progress', at),
    // @ts-expect-error an item is worked on before it is handed in
    moveItems(tx, [id], 'leased', 'submitted', at),
    // @ts-expect-error no item has this state
    moveItems(tx, [id], 'leased', 'checked_out', at),
  ]
  expect(moves).toBeTypeOf('function')
})
