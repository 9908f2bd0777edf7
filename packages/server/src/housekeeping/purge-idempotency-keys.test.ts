import { expect } from 'vitest'
import { describeVerb } from '../../testing/describe-verb.ts'
import { purgeIdempotencyKeys } from './purge-idempotency-keys.ts'

describeVerb(purgeIdempotencyKeys, {
  succeeds: ({ body }) => {
    expect(body).toEqual({ keys: 0, more: false, dry_run: false })
  },
  refuses: {
    validation_failed: () => ({ older_than_seconds: -1 }),
  },
})
