import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { failItem } from './fail-item.ts'

describeVerb(failItem, {
  succeeds: ({ body }) => {
    expect(body.item).toMatchObject({ state: 'failed', leased_by_agent_id: null })
  },
  refuses: {
    lease_lost: async (_side, input) => ({ ...input, lease_token: 'wl.1.1.AAAAAAAAAAAAAAAA' }),
    validation_failed: (_side, input) => ({ ...input, class: 'bad luck' }),
  },
})
