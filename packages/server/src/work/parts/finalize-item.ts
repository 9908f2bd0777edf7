/**
 * Assembling the parts into the result and handing it in: checked here as a whole, then the same `wm.submit_items` as submit-item.ts, in
 * one transaction with the parts that were read.
 */
import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { digestOfText } from '../approvals/digest.ts'
import { breathe } from '../../kernel/breathe.ts'
import { submitWithin } from '../hot-path/submit-batch.ts'
import { TypeCrashed } from '../order-types/type-crashed.ts'
import { assembleParts, requiredParts } from '../order-types/verify-submission.ts'
import { topics } from '../topics.ts'
import { loadValidParts, loadValidSlots, type ValidPart } from './store.ts'
import { askerOf, claimOf } from '../leases/asker.ts'
import { itemId, leaseToken, notes } from '../inputs.ts'
import { defineOperation } from '../tools.ts'
import { getType } from '../orders/planning.ts'
import { traceparentOf } from '../../kernel/operations/traces.ts'
import { lostLease } from '../leases/lost-lease.ts'
import { assertHolds } from '../items/held-item.ts'
import { getItemBrief } from '../items/item-brief.ts'
import { judge, refuseSubmission } from '../items/judging.ts'
import { leaseRefusals } from '../leases/refusals.ts'

/** A larger result is handed in all the same, and read with GET /items/{item}. */
const largestShown = 1024 * 1024

type Slot = Pick<ValidPart, 'part_key' | 'seq' | 'checksum'>
const sameParts = (a: readonly Slot[], b: readonly Slot[]): boolean =>
  a.length === b.length &&
  a.every((part, n) => part.part_key === b[n]!.part_key && part.seq === b[n]!.seq && part.checksum === b[n]!.checksum)

export const finalizeItem = defineOperation({
  name: 'finalize_item',
  summary: 'Assemble the validated parts of an item into its result and hand it in.',
  http: { method: 'POST', path: '/items/:item/finalize', success: 202 },
  ability: 'work:submit',
  rate: 'shed_last',
  idempotency: 'required',
  // busy: parts changed meanwhile.
  refuses: ['not_found', 'parts_not_supported', 'parts_missing', 'verification_failed', 'order_type_broke', 'busy', ...leaseRefusals],
  command: { words: 'items finalize' },
  tool: { name: 'work_finalize', title: 'Assemble the parts' },
  input: Type.Object({
    item: itemId,
    lease_token: leaseToken,
    mode: Type.Optional(
      Type.Union([Type.Null(), Type.Enum(['strict', 'best_effort'])], {
        description: 'strict (default): every required part must be there.',
      }),
    ),
    notes,
  }),
  output: Type.Object({
    success: Type.Boolean(),
    item: Type.Object({
      id: Type.String(),
      state: Type.String(),
      assembled_result: Type.Optional(Type.Unknown({ description: 'Up to 1 MiB; a larger result is read from the item.' })),
      assembled_bytes: Type.Optional(Type.Integer({ description: 'Of a larger result, as JSON.' })),
    }),
    order_state: Type.String(),
  }),
  async handler(context, input) {
    const { tools } = context
    const brief = await getItemBrief(context, input.item, input.lease_token)
    const type = getType(tools, brief.type)
    await assertHolds(context, input.item, input.lease_token)
    const parts = await context.read((q) => loadValidParts(q, input.item))
    const assembled = parts.map((part) => ({ partKey: part.part_key, seq: part.seq, payload: part.payload }))
    let result: unknown
    try {
      const missing = requiredParts(type, brief.input).filter((key) => !parts.some((part) => part.part_key === key))
      if (missing.length > 0 && (input.mode ?? 'strict') === 'strict') {
        const detail = `Missing required parts: ${missing.join(', ')}`
        throw new WorkError('parts_missing', {
          detail,
          errors: [{ field: 'parts', code: 'parts_missing', message: detail }],
          extra: { missing },
        })
      }
      if (parts.length === 0)
        throw new WorkError('parts_missing', {
          detail: 'No part of this item is validated yet.',
          fix: 'Submit at least one part, then finalize.',
          errors: [{ field: 'parts', code: 'parts_missing', message: 'No part is validated yet.' }],
        })
      result = assembleParts(type, assembled, brief.input)
    } catch (error) {
      if (!(error instanceof TypeCrashed)) throw error
      throw new WorkError(
        'verification_failed',
        {
          detail: `The parts could not be assembled: ${error.message}`,
          errors: [{ field: 'parts', code: 'assemble_failed', message: error.message }],
        },
        { cause: error },
      )
    }
    const evidence = parts.flatMap((part) => (Array.isArray(part.evidence) ? part.evidence : []))
    const handedIn = { result, evidence: evidence.length > 0 ? evidence : null, notes: input.notes ?? null }
    // Each of these takes milliseconds a megabyte: others have their turn in between.
    await breathe()
    const findings = await judge(context, brief, handedIn)
    if (findings.length > 0) return refuseSubmission(context, input.item, input.lease_token, findings)

    await breathe()
    const resultText = JSON.stringify(result)
    const digest = await digestOfText(
      `{"evidence":${JSON.stringify(handedIn.evidence)},"notes":${JSON.stringify(handedIn.notes)},"result":${resultText}}`,
    )
    const bytes = Buffer.byteLength(resultText)
    const shown = bytes > largestShown ? `"assembled_bytes":${bytes}` : `"assembled_result":${resultText}`

    let orderSubmitted = false
    const reply = await context.write(async (tx) => {
      const answer = await submitWithin(tx, {
        ...askerOf(context),
        itemId: input.item,
        token: input.lease_token ?? null,
        ...handedIn,
        traceparent: traceparentOf(context),
        digest,
        assembledParts: parts.length,
        idempotency: null,
      })
      if (answer.kind === 'refused') throw await lostLease(tx, tx.tenantId, input.item, answer.seen, claimOf(context, input.lease_token))
      if (answer.kind !== 'done') throw new WorkError('not_found')
      // Now that the item is locked and handed in, no part can come any more: what was verified must be what is there.
      if (!sameParts(parts, await loadValidSlots(tx, input.item)))
        throw new WorkError('busy', {
          detail: 'A part of this item changed while it was being finalized; nothing was handed in.',
          retryAfterSeconds: 1,
        })
      orderSubmitted = answer.orderSubmitted
      const { order_state } = JSON.parse(answer.body) as { order_state: string }
      return {
        status: 202,
        json: `{"success":true,"item":{"id":"${input.item}","state":"submitted",${shown}},"order_state":${JSON.stringify(order_state)}}`,
      }
    })
    if (orderSubmitted) tools.signal.wake(topics.submitted)
    return reply
  },
})
