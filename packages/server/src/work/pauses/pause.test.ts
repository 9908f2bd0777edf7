import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { pause } from './pause.ts'

describeVerb(pause, {
  succeeds: async ({ body }, { person }) => {
    expect(body.pause).toMatchObject({ scope: 'agent', subject: 'crawler-1' })
    expect((await person.get('/pauses')).body.pauses).toHaveLength(1)
  },
  refuses: {
    validation_failed: (_side, input) => ({ ...input, type: 'test.echo' }),
    order_type_not_found: () => ({ type: 'test.ecko', reason: 'A test.' }),
  },
})
