import Type from 'typebox'
import { appendEvents } from '../kernel/store/events.ts'
import { countOldAnswers, deleteOldAnswers } from '../kernel/store/idempotency.ts'
import { actorOf } from '../kernel/operations/actor.ts'
import { defineOperation } from '../kernel/operations/operation.ts'

const batch = 100_000

/** Younger keys are in use by retries; keys of generated work are never deleted. */
export const purgeIdempotencyKeys = defineOperation({
  name: 'purge_idempotency_keys',
  summary: 'Delete idempotency keys of the tenant older than an age, before their time is over; a repeat with such a key is a new request.',
  http: { method: 'POST', path: '/idempotency-keys/purge', success: 200 },
  ability: 'admin:maintenance',
  peopleOnly: true,
  idempotency: 'none',
  refuses: [],
  command: { words: 'ops purge-keys', byHand: true },
  tool: 'administration is not an agent’s work',
  input: Type.Object({
    older_than_seconds: Type.Integer({
      minimum: 3600,
      maximum: 315_360_000,
      description: 'Age; at least an hour, because younger ones are in use by retries.',
    }),
    dry_run: Type.Optional(Type.Boolean({ description: 'Only count them.' })),
  }),
  output: Type.Object({
    keys: Type.Integer({ minimum: 0 }),
    more: Type.Boolean({ description: 'There are others: call again.' }),
    dry_run: Type.Boolean(),
  }),
  async handler(context, input) {
    const { tools, principal } = context
    const age = input.older_than_seconds
    const old = await context.read((q) => countOldAnswers(q, principal.tenantId, age))
    if (input.dry_run || old === 0) return { status: 200, body: { keys: old, more: false, dry_run: input.dry_run ?? false } }
    // The event first: a deletion that is not on the record would be worse than a record of one that broke off.
    await context.write(async (tx) => {
      await appendEvents(tx, actorOf(context), await tx.clock(), [
        { kind: 'idempotency.purged', payload: { keys: Math.min(old, batch), older_than_seconds: age } },
      ])
      return { status: 200, body: null }
    })
    const keys = await deleteOldAnswers(tools.system, principal.tenantId, age, batch)
    return { status: 200, body: { keys, more: keys === batch, dry_run: false } }
  },
})
