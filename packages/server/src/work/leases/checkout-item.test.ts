import { expect } from 'vitest'
import { done } from '../../../testing/cases.ts'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { checkoutItem } from './checkout-item.ts'

describeVerb(checkoutItem, {
  succeeds: ({ body }) => {
    expect(body.item).toMatchObject({ type: 'example.echo', state: 'leased', attempt: 1 })
    expect(body.item.lease_token).toMatch(/^wl\./)
  },
  refuses: {
    no_items_available: () => ({ type: 'test.essay' }),
    // Told at once, before any waiting.
    order_type_not_found: () => ({ type: 'example.ecko', wait: 60 }),
    paused: async ({ person }, input) => {
      done(await person.post('/pauses', { agent: 'agent-1', reason: 'A test.' }))
      return { ...input, wait: 0 }
    },
  },
})
