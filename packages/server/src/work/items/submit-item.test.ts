import { expect } from 'vitest'
import { done } from '../../../testing/cases.ts'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { submitItem } from './submit-item.ts'

describeVerb(submitItem, {
  succeeds: ({ body }) => {
    expect(body).toMatchObject({ state: 'submitted', order_state: 'submitted', item: { leased_by_agent_id: null } })
  },
  refuses: {
    verification_failed: (_side, input) => ({ ...input, result: { echoed: 'something else', ok: true } }),
    lease_lost: async (_side, input) => ({ ...input, lease_token: 'wl.1.1.AAAAAAAAAAAAAAAA' }),
    already_submitted: async ({ agent }, { item, ...body }) => {
      done(await agent.post(`/items/${String(item)}/submit`, body))
      return { item, ...body }
    },
  },
})
