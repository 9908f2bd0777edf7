import { describe, expect, it } from 'vitest'
import { createOrderContextGuard, issueOrderContext, orderContextHeader } from './order-context.ts'

const secret = 'a secret of at least thirty-two characters'
const context = { tenantId: 't1', orderId: 'o1', type: 'user.sync', key: 'apply:o1:1' }
const withToken = (token: string) => ({ [orderContextHeader]: token })

describe('the direct-mutation guard', () => {
  it('lets the apply of an order through, once per context', () => {
    const guard = createOrderContextGuard({ secret })
    const token = issueOrderContext(secret, context)
    expect(guard.check(withToken(token))).toEqual(context)
    expect(() => guard.check(withToken(token))).toThrow(/used before/)
  })

  it('does not believe an order id, wherever it stands', () => {
    const guard = createOrderContextGuard({ secret })
    expect(() => guard.check({ 'x-work-order-id': 'o1' })).toThrow(/requires a valid work order context/)
    expect(() => guard.check(withToken('o1'))).toThrow(/not issued/)
  })

  it('refuses another secret, an edited payload, an old context and another type', () => {
    const token = issueOrderContext(secret, context)
    expect(() => createOrderContextGuard({ secret: `${secret} but another` }).check(withToken(token))).toThrow(/not issued/)
    const edited = Buffer.from(JSON.stringify({ ...context, orderId: 'o2', exp: Date.now() + 1e6, nonce: 'x' })).toString('base64url')
    expect(() => createOrderContextGuard({ secret }).check(withToken(`${edited}.${token.split('.')[1]}`))).toThrow(/not issued/)
    expect(() => createOrderContextGuard({ secret, now: () => Date.now() + 61_000 }).check(withToken(token))).toThrow(/expired/)
    expect(() => createOrderContextGuard({ secret, types: ['other'] }).check(withToken(token))).toThrow(/may not do this/)
  })

  it('answers Express and Fastify routes with the order, or the refusal', async () => {
    const guard = createOrderContextGuard({ secret })
    const request: Parameters<typeof guard.express>[0] = { headers: withToken(issueOrderContext(secret, context)) }
    guard.express(request, {}, (error) => expect(error).toBeUndefined())
    expect(request.workOrder).toEqual(context)
    await expect(guard.fastify({ headers: {} })).rejects.toMatchObject({ code: 'forbidden_direct_mutation', status: 403 })
  })
})
