import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { topics } from '../topics.ts'
import { appendEvents } from '../../kernel/store/events.ts'
import { removePause } from './store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { reason } from '../../kernel/operations/inputs.ts'
import { defineOperation } from '../tools.ts'
import { labelOf, pauseShape, target, targetOf } from './pause-target.ts'

export const resume = defineOperation({
  name: 'resume',
  summary: 'Lift a pause; work goes on at once.',
  http: { method: 'POST', path: '/pauses/lift', success: 200 },
  ability: 'admin:pause',
  peopleOnly: true,
  idempotency: 'accepted',
  // validation_failed: not exactly one target.
  // not_found: not paused.
  refuses: ['validation_failed', 'not_found'],
  command: { words: 'resume', byHand: true },
  tool: 'a person’s decision, over HTTP and the command line',
  input: Type.Object({ ...target, reason }),
  output: Type.Object({ lifted: pauseShape }),
  async handler(context, input) {
    const { signal } = context.tools
    const aim = targetOf(input)
    const reply = await context.write(async (tx) => {
      const lifted = await removePause(tx, aim)
      if (!lifted)
        throw new WorkError('not_found', {
          detail: `${aim.scope === 'tenant' ? 'The tenant' : `The ${aim.scope} '${aim.subject}'`} is not paused.`,
          fix: 'List the pauses with GET /pauses; a narrower or wider one may be in force.',
        })
      await appendEvents(tx, actorOf(context), await tx.clock(), [
        {
          kind: 'pause.lifted',
          label: labelOf(aim),
          payload: { ...aim, reason: input.reason, paused_at: lifted.paused_at, paused_by: lifted.principal },
          message: input.reason.slice(0, 500),
        },
      ])
      return { status: 200, body: { lifted } }
    })
    for (const topic of [topics.ready(context.principal.tenantId), topics.approved, topics.submitted, topics.effects, topics.events])
      signal.wake(topic)
    return reply
  },
})
