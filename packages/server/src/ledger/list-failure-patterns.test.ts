import { afterAll, beforeAll, expect, it } from 'vitest'
import { startCaseServer } from '../../testing/case-server.ts'
import { openSide } from '../../testing/cases.ts'
import { describeVerb } from '../../testing/describe-verb.ts'
import type { TestServer } from '../../testing/test-server.ts'
import { fail } from '../../testing/work-calls.ts'
import { listFailurePatterns } from './list-failure-patterns.ts'

describeVerb(listFailurePatterns, {
  succeeds: ({ body }) => {
    expect(body).toMatchObject({ complete: true, failures: 1 })
    expect(body.patterns).toMatchObject([
      { kind: 'item.failed', type: 'test.echo', class: 'permanent', code: 'broken', message: 'cannot be done', count: 1 },
    ])
    expect(body.patterns[0].examples).toHaveLength(1)
  },
  refuses: { validation_failed: () => ({ since: 'yesterday' }) },
})

let server: TestServer
beforeAll(async () => {
  server = await startCaseServer()
})
afterAll(() => server.stop())

it('counts the failures of the own tenant and of the window, and no others', async () => {
  const own = await openSide(server, 'initech', 'of-initech')
  const other = await openSide(server, 'umbrella', 'of-umbrella')
  const held = [await fail(own), await fail(own), await fail(other)]
  await server.run('sequencer')
  const { body } = await own.person.get('/failures/patterns')
  expect(body.failures).toBe(2)
  expect(body.patterns).toHaveLength(1)
  expect(body.patterns[0].examples.toSorted()).toEqual([held[0]!.item, held[1]!.item].toSorted())
  for (const elsewhere of ['since=2999-01-01T00:00:00Z', 'until=2001-01-01T00:00:00Z', 'type=test.other'])
    expect((await own.person.get(`/failures/patterns?${elsewhere}`)).body, elsewhere).toEqual({ patterns: [], failures: 0, complete: true })
})
