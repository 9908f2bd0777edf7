import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { resume } from './resume.ts'

describeVerb(resume, {
  succeeds: async ({ body }, { person }) => {
    expect(body.lifted).toMatchObject({ scope: 'agent', subject: 'crawler-1' })
    expect((await person.get('/pauses')).body.pauses).toEqual([])
  },
  refuses: {
    not_found: (_side, input) => ({ ...input, agent: 'never-paused' }),
    validation_failed: () => ({ reason: 'Nobody is named.' }),
  },
})
