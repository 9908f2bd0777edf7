import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { uuidv7 } from 'uuidv7'
import { digestOf } from '../approvals/digest.ts'
import { brokeType, TypeCrashed } from '../order-types/type-crashed.ts'
import { checkPart } from '../order-types/verify-submission.ts'
import { appendEvents, type NewEvent, ofItem } from '../../kernel/store/events.ts'
import { moveItems, noteOnLeasedItem } from '../items/store.ts'
import { lockOrder } from '../orders/store.ts'
import { appendPart, countParts, readPartsState, sizeOfOtherParts } from './store.ts'
import { actorOf } from '../../kernel/operations/actor.ts'
import { document, evidence, itemId, leaseToken, notes } from '../inputs.ts'
import { refused } from '../../kernel/operations/operation.ts'
import { defineOperation } from '../tools.ts'
import { beginOrder } from '../orders/order-flow.ts'
import { getType } from '../orders/planning.ts'
import { assertHolds } from '../items/held-item.ts'
import { getItemBrief } from '../items/item-brief.ts'
import { lockHeldItem } from '../items/held-item.ts'
import { verified } from '../items/judging.ts'
import { leaseRefusals } from '../leases/refusals.ts'

export const submitPart = defineOperation({
  name: 'submit_part',
  summary: 'Hand in one part of a large result; parts are checked one by one and assembled by finalize.',
  http: { method: 'POST', path: '/items/:item/parts', aliases: ['/items/:item/submit-part'], success: 202 },
  ability: 'work:submit',
  rate: 'shed_last',
  idempotency: 'required',
  refuses: [
    'not_found',
    'parts_not_supported',
    'verification_failed',
    'part_too_large',
    'parts_too_large',
    'too_many_parts',
    'order_type_broke',
    ...leaseRefusals,
  ],
  command: {
    words: 'items part',
    arguments: ['part_key'],
    example: '01890a5d-ac96-774b-bcce-b302099a8057 chapter-1 --lease-token wl.1.1.… --payload @chapter-1.json',
  },
  tool: { name: 'work_submit_part', title: 'Hand in a part', advice: 'For results too large for one call; work_finalize assembles them.' },
  input: Type.Object({
    item: itemId,
    lease_token: leaseToken,
    part_key: Type.String({ minLength: 1, maxLength: 120, description: 'Which part; the type names the keys.' }),
    seq: Type.Optional(
      Type.Union([Type.Null(), Type.Integer({ minimum: 0, maximum: 1_000_000 })], { description: 'Position of a piece of a part.' }),
    ),
    payload: document('The part.'),
    evidence,
    notes,
  }),
  output: Type.Object({
    success: Type.Boolean(),
    part: Type.Object({
      id: Type.String(),
      part_key: Type.String(),
      seq: Type.Union([Type.Null(), Type.Integer()]),
      status: Type.String(),
      revision: Type.Integer(),
    }),
    item_parts_state: Type.Record(Type.String(), Type.Unknown()),
  }),
  async handler(context, input) {
    const { settings } = context.tools
    const bytes = Buffer.byteLength(JSON.stringify(input.payload))
    const evidenceBytes = input.evidence ? Buffer.byteLength(JSON.stringify(input.evidence)) : 0
    if (bytes > settings.maxPartBytes)
      throw new WorkError('part_too_large', { detail: `The part has ${bytes} bytes; at most ${settings.maxPartBytes} are accepted.` })
    await context.breathe()
    const brief = await getItemBrief(context, input.item, input.lease_token)
    await assertHolds(context, input.item, input.lease_token)
    const type = getType(context.tools, brief.type)
    const seq = input.seq ?? null
    const handedIn = { partKey: input.part_key, seq, payload: input.payload, evidence: input.evidence ?? null }
    const findings = await verified(context, () => checkPart(type, { input: brief.input, ...handedIn })).catch((error: unknown) => {
      throw error instanceof TypeCrashed ? brokeType(error, 'the part was not kept') : error
    })
    const id = uuidv7()
    await context.breathe()
    const checksum = digestOf(input.payload).slice('sha256:'.length)
    await context.breathe()

    return context.write(async (tx) => {
      const order = await lockOrder(tx, brief.order_id)
      const { item, at } = await lockHeldItem(tx, context, input.item, input.lease_token)
      const kept = await countParts(tx, item.id)
      if (kept >= settings.maxPartsPerItem)
        throw new WorkError('too_many_parts', {
          detail: `The item holds ${kept} part revisions; at most ${settings.maxPartsPerItem} are kept.`,
        })
      // Under the item's lock: two parts at a time must not both find room for one.
      const together = bytes + evidenceBytes + (await sizeOfOtherParts(tx, item.id, handedIn))
      if (together > settings.maxItemBytes)
        throw new WorkError('parts_too_large', {
          detail: `With this one the parts of the item have ${together} bytes; at most ${settings.maxItemBytes} are accepted.`,
        })
      const events: NewEvent[] = []
      if (item.state === 'leased') {
        await moveItems(tx, [item.id], 'leased', 'in_progress', at)
        events.push({ kind: 'item.in_progress', ...ofItem(item) }, ...(await beginOrder(tx, order!, at)))
      }
      const status = findings.length === 0 ? 'validated' : 'rejected'
      const revision = await appendPart(
        tx,
        {
          id,
          orderId: item.order_id,
          itemId: item.id,
          ...handedIn,
          status,
          notes: input.notes ?? null,
          errors: findings.length > 0 ? { validation: findings.slice(0, 20) } : null,
          checksum,
          agentId: context.provenance.agentId,
          principal: context.principal.name,
          generation: item.generation,
        },
        at,
      )
      const partsState = await readPartsState(tx, item.id)
      await noteOnLeasedItem(tx, { ...item, state: 'in_progress' }, at, { partsState, progress: status === 'validated' })
      events.push({
        kind: status === 'validated' ? 'item.part_submitted' : 'item.part_refused',
        ...ofItem(item),
        payload: { part_key: input.part_key, seq, revision, checksum, ...(findings.length > 0 ? { errors: findings.slice(0, 20) } : {}) },
      })
      await appendEvents(tx, actorOf(context), at, events)
      // A refused part is on the record; it never hides a validated revision of the same slot.
      if (findings.length > 0) return refused(new WorkError('verification_failed', { detail: findings[0]!.message, errors: findings }))
      return {
        status: 202,
        body: { success: true, part: { id, part_key: input.part_key, seq, status, revision }, item_parts_state: partsState },
      }
    })
  },
})
