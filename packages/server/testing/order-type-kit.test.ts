import { expect, it } from 'vitest'
import Type from 'typebox'
import { defineOrderType } from '../src/work/order-types/define-order-type.ts'
import { userDataSync } from '../src/work/order-types/shipped/user-data-sync.ts'
import { testOrderType } from './order-type-kit.ts'

// The ten lines of the README.
it('a type is tested without a server', async () => {
  const kit = testOrderType(userDataSync)
  const items = await kit.plan({ source: 'crm', user_ids: [1, 2] })
  expect(items).toHaveLength(1)
  const result = { success: true, synced_users: [1, 2].map((user_id) => ({ user_id, data: { plan: 'pro' }, verified: true })) }
  expect(await kit.submit(0, { ...result, success: false })).toMatchObject([{ field: 'success' }])
  expect(await kit.submit(0, result)).toEqual([])
  expect(await kit.approve()).toEqual([])
  expect((await kit.apply()).after).toEqual({ updated_count: 2 })
  expect(await kit.records.get('users', '1')).toEqual({ plan: 'pro' })
})

const schemas = { payload: Type.Object({ n: Type.Integer() }), result: Type.Object({ ok: Type.Boolean() }) }
const define = (more: object = {}) =>
  defineOrderType({ type: 'demo.kit', ...schemas, apply: (ctx) => ctx.diff({}, { n: ctx.items.length }), ...more })

it('steps out of order say what is missing', async () => {
  const kit = testOrderType(define())
  await expect(kit.approve()).rejects.toThrow(/call plan\(payload\) first/)
  await expect(kit.plan({ n: 'x' })).rejects.toThrow(/n: Field 'n' must be of type: integer/)
  await kit.plan({ n: 1 })
  expect(() => kit.submit(3, {})).toThrow(/There is no item 3/)
  await expect(kit.approve()).rejects.toThrow(/Not every item is submitted: 0/)
  await expect(kit.apply()).rejects.toThrow(/call approve\(\) first/)
})

const ready = async (kit: ReturnType<typeof testOrderType>) => {
  await kit.plan({ n: 1 })
  await kit.submit(0, { ok: true })
  await kit.approve()
  return kit
}

it('a type that uses ctx.tx is told how to get one', async () => {
  const kit = await ready(testOrderType(define({ apply: (ctx: { tx: { query(s: unknown): unknown } }) => ctx.tx.query('select 1') })))
  await expect(kit.apply()).rejects.toThrow(/give the kit a transaction/)
})

it('an apply that throws changes no record', async () => {
  const apply = async (ctx: { records: { put(c: string, k: string, v: unknown): Promise<void> } }) => {
    await ctx.records.put('things', 'a', 2)
    throw new Error('stop')
  }
  const kit = await ready(testOrderType(define({ apply }), { records: { things: { a: 1 } } }))
  await expect(kit.apply()).rejects.toThrow('stop')
  expect(await kit.records.get('things', 'a')).toBe(1)
})

it('effects run after apply with a key of their own, and keep receipts', async () => {
  const calls: unknown[] = []
  const effects = {
    mail: {
      deduplicates: true,
      run: async (input: unknown, { key }: { key: string }) => (calls.push([input, key]), `sent ${calls.length}`),
    },
  }
  const apply = (ctx: { effect(n: string, i: unknown): void; diff(b: object, a: object): unknown }) => {
    ctx.effect('mail', { to: 1 })
    ctx.effect('mail', { to: 2 })
    return ctx.diff({}, {})
  }
  const kit = await ready(testOrderType(define({ effects, apply, afterApply: () => void calls.push('after') })))
  await kit.apply()
  expect(calls).toMatchObject([[{ to: 1 }, expect.stringContaining('mail')], [{ to: 2 }, expect.any(String)], 'after'])
  expect([...kit.receipts.values()]).toEqual(['sent 1', 'sent 2'])
  const undeclared = await ready(testOrderType(define({ apply: (ctx: { effect(n: string, i: unknown): void }) => ctx.effect('fax', 1) })))
  await expect(undeclared.apply()).rejects.toThrow(/Effect 'fax' is not declared/)
})

it('parts are assembled, and missing ones are named', async () => {
  const parts = { schemas: { ok: Type.Boolean() }, required: () => ['ok'] }
  const kit = testOrderType(define({ parts }))
  await kit.plan({ n: 1 })
  expect(await kit.finalize(0)).toMatchObject([{ field: 'ok', code: 'part.missing' }])
  expect(await kit.submitPart(0, 'ok', 'yes')).toMatchObject([{ code: 'schema.type_mismatch' }])
  expect(await kit.submitPart(0, 'ok', true)).toEqual([])
  expect(await kit.finalize(0)).toEqual([])
  expect(await kit.approve()).toEqual([])
})
