/**
 * What every verb must do, from its case: it does what it says, refuses what it says, and knows nothing of another tenant. The test file
 * of a verb adds what success looks like and how its own refusals are met; stories of several verbs stand elsewhere.
 */
import type { ErrorCode } from '@work-manager/contract'
import { uuidv7 } from 'uuidv7'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../src/kernel/operations/operation.ts'
import { mayRefuseWith } from '../src/kernel/operations/refusals.ts'
import { type Case, callerOf, type Input, loadCases, openSide, requestOf, send, type Side } from './cases.ts'
import { startCaseServer } from './case-server.ts'
import type { Answer, TestServer } from './test-server.ts'

export interface VerbTest {
  /** What the answer to its case shows, and what it left behind. */
  succeeds(answer: Answer, side: Side, input: Input): void | Promise<void>
  /** Code → prepares a call that is refused with it. */
  readonly refuses?: Partial<Record<ErrorCode, (side: Side, input: Input) => Promise<Input> | Input>>
}

export function describeVerb(operation: Operation, test: VerbTest): void {
  const { name, http, input: schema } = operation
  const inPath = [...http.path.matchAll(/:(\w+)/g)].map(([, member]) => member!)
  const ids = inPath.filter((member) => (schema.properties[member] as { format?: string }).format === 'uuid')
  let server: TestServer
  let own: Case
  let side: Side
  const prepare = (who: Side): Promise<Input> => (own.call ?? own.sample)!(who)
  const call = (who: Side, input: Input): Promise<Answer> => send(callerOf(who, own), requestOf(operation, input))

  describe(name, () => {
    beforeAll(async () => {
      server = await startCaseServer()
      own = (await loadCases()).cases[name]!
      side = await openSide(server, 'acme', 'mark-of-acme')
    })
    afterAll(() => server.stop())

    it('does what it says', async () => {
      const input = await prepare(side)
      const asked = call(side, input)
      const answer = await (own.meanwhile ? own.meanwhile(side, asked) : asked)
      expect(answer.status, answer.text).toBe(http.success)
      await test.succeeds(answer, side, input)
    })

    it.each(Object.entries(test.refuses ?? {}))('refuses with %s', async (code, refuse) => {
      const answer = await call(side, await refuse(side, await prepare(side)))
      expect(answer.body?.code, answer.text).toBe(code)
      expect(mayRefuseWith(operation, code as ErrorCode)).toBe(true)
    })

    if (ids.length > 0)
      it('answers for what another tenant has as for what nobody has', async () => {
        const other = await openSide(server, 'globex', 'mark-of-globex')
        const theirs = await prepare(other)
        for (const id of ids) {
          const foreign = await call(side, { ...theirs, [id]: theirs[id] })
          const absent = await call(side, { ...theirs, [id]: uuidv7() })
          expect([foreign.status, foreign.body.code]).toEqual([404, 'not_found'])
          expect([absent.status, absent.body.code]).toEqual([404, 'not_found'])
        }
      })
    else
      it('shows and touches nothing of another tenant', async () => {
        const other = await openSide(server, 'globex', 'mark-of-globex')
        await prepare(other)
        const input = await prepare(side)
        const asked = call(side, input)
        const answer = await (own.meanwhile ? own.meanwhile(side, asked) : asked)
        expect(answer.text).not.toContain(other.mark)
      })

    if ('cursor' in schema.properties)
      it('refuses a cursor that it never gave', async () => {
        const answer = await call(side, { ...(await prepare(side)), cursor: 'nonsense' })
        expect([answer.status, answer.body.code]).toEqual([400, 'cursor_invalid'])
      })

    if (operation.peopleOnly)
      it('is for people only', async () => {
        const agent = await server.caller('agent', 'agent-1', { tenant: 'acme', abilities: [operation.ability] })
        const answer = await send(agent, requestOf(operation, await prepare(side)))
        expect([answer.status, answer.body.code]).toEqual([403, 'agents_cannot_decide'])
      })
  })
}
