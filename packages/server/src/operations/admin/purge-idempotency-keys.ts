import Type from 'typebox'
import { appendEvents } from '../../store/events.ts'
import { countOldAnswers, deleteOldAnswers } from '../../store/idempotency.ts'
import { actorOf } from '../actor.ts'
import { defineOperation } from '../operation.ts'

const batch = 100_000

/** Younger keys are in use by retries; keys of generated work are never deleted. Refuses with: agents_cannot_decide. */
export const purgeIdempotencyKeys = defineOperation({
  name: 'purge_idempotency_keys',
  summary: 'Delete idempotency keys of the tenant older than an age, before their time is over; a repeat with such a key is a new request.',
  http: { method: 'POST', path: '/idempotency-keys/purge', success: 200 },
  ability: 'admin:maintenance',
  peopleOnly: true,
  idempotency: 'none',
  input: Type.Object({
    older_than_seconds: Type.Integer({ minimum: 3600, maximum: 315_360_000, description: 'Age; at least an hour, because younger ones are in use by retries.' }),
    dry_run: Type.Optional(Type.Boolean({ description: 'Only count them.' })),
  }),
  output: Type.Object({ keys: Type.Integer({ minimum: 0 }), more: Type.Boolean({ description: 'There are others: call again.' }), dry_run: Type.Boolean() }),
  async handler(context, input) {
    const age = input.older_than_seconds
    if (input.dry_run) return { status: 200, body: { keys: await context.read((q) => countOldAnswers(q, age)), more: false, dry_run: true } }
    return context.write(async (tx) => {
      const keys = await deleteOldAnswers(tx, age, batch)
      if (keys > 0) await appendEvents(tx, actorOf(context), await tx.clock(), [{ kind: 'idempotency.purged', orderId: null, payload: { keys, older_than_seconds: age } }])
      return { status: 200, body: { keys, more: keys === batch, dry_run: false } }
    })
  },
})
