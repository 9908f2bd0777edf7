import { expect } from 'vitest'
import { describeVerb } from '../../testing/describe-verb.ts'
import { listProvenance } from './list-provenance.ts'

describeVerb(listProvenance, {
  succeeds: ({ body }, _side, input) => {
    expect(body.provenance.map((row: { id: string }) => row.id)).toEqual([input.id])
  },
  refuses: {
    validation_failed: () => ({ limit: 0 }),
  },
})
