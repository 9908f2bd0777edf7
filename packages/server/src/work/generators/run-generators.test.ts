import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { runGenerators } from './run-generators.ts'

describeVerb(runGenerators, {
  succeeds: ({ body }) => {
    expect(body).toMatchObject({ proposed: 1, generators: [{ generator: 'nightly.echo', ran: true }] })
  },
  refuses: {
    not_found: () => ({ generator: 'weekly.echo' }),
  },
})
