import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { releaseItem } from './release-item.ts'

describeVerb(releaseItem, {
  succeeds: ({ body }) => {
    expect(body.item).toMatchObject({ state: 'queued', leased_by_agent_id: null })
  },
  refuses: {
    lease_lost: async (_side, input) => ({ ...input, lease_token: 'wl.1.1.AAAAAAAAAAAAAAAA' }),
  },
})
