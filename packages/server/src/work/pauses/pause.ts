import Type from 'typebox'
import { appendEvents } from '../../kernel/store/events.ts'
import { hasOrdersOfType } from '../orders/store.ts'
import { lockPauses, putPause, type PauseRow } from './store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { reason } from '../../kernel/operations/inputs.ts'
import { defineOperation } from '../tools.ts'
import { enforcePause } from './pausing.ts'
import { getType } from '../orders/planning.ts'
import { labelOf, pauseShape, target, targetOf } from './pause-target.ts'

export const pause = defineOperation({
  name: 'pause',
  summary:
    'Stop an agent, an order type or the whole tenant until a person resumes it: leases end, nothing more is leased, applied or sent to the outside.',
  http: { method: 'POST', path: '/pauses', success: 200 },
  ability: 'admin:pause',
  peopleOnly: true,
  // Said twice it is in force once, and ends whatever the first time did not get to.
  idempotency: 'none',
  // validation_failed: not exactly one target.
  refuses: ['validation_failed', 'order_type_not_found'],
  command: { words: 'pause', byHand: true },
  tool: 'a person’s decision, over HTTP and the command line',
  input: Type.Object({ ...target, reason }),
  output: Type.Object({
    pause: pauseShape,
    leases_ended: Type.Integer({ minimum: 0 }),
    effects_running: Type.Integer({
      minimum: 0,
      description: 'Outside calls that began before the pause and still run; they cannot be called back.',
    }),
  }),
  async handler(context, input) {
    const { tools, principal } = context
    const aim = targetOf(input)
    if (aim.scope === 'type' && !tools.types.has(aim.subject) && !(await context.read((q) => hasOrdersOfType(q, aim.subject))))
      getType(tools, aim.subject)
    const actor = actorOf(context)
    let set: PauseRow | undefined
    await context.write(async (tx) => {
      await lockPauses(tx)
      const at = await tx.clock()
      const put = await putPause(tx, aim, { reason: input.reason, principal: principal.name }, at)
      set = { ...aim, reason: input.reason, principal: principal.name, paused_at: put.pausedAt }
      await appendEvents(tx, actor, at, [
        {
          kind: 'pause.set',
          label: labelOf(aim),
          payload: { ...aim, reason: input.reason, renewed: put.pausedAt !== at },
          message: input.reason.slice(0, 500),
        },
      ])
      return { status: 200, body: null }
    })
    const { leasesEnded, effectsRunning } = await enforcePause(tools, principal.tenantId, aim, actor, `Paused: ${input.reason}`)
    return { status: 200, body: { pause: set, leases_ended: leasesEnded, effects_running: effectsRunning } }
  },
})
