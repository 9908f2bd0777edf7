/**
 * `user.data.sync`: brings user records up to date from another system, in batches of 50. The agent reads the source and reports; the
 * record changes only after approval, and only in the columns that the order names.
 */
import Type from 'typebox'
import { defineOrderType } from '../define-order-type.ts'

/** Never more than these: a report must not be able to set `is_admin`. */
const columns = ['email', 'name', 'phone', 'company', 'plan', 'locale', 'timezone', 'last_seen_at'] as const
const batchSize = 50

const Source = Type.Enum(['crm', 'analytics', 'billing'])
const Column = Type.Enum([...columns])
const UserId = Type.Integer({ minimum: 1 })

export const userDataSync = defineOrderType({
  type: 'user.data.sync',
  title: 'Sync user data',
  description: 'Reads users from a source system and proposes their new values; approved values are written to the users collection.',
  payload: Type.Object(
    {
      source: Source,
      user_ids: Type.Array(UserId, { minItems: 1, maxItems: 10_000, uniqueItems: true }),
      fields: Type.Optional(
        Type.Array(Column, {
          minItems: 1,
          maxItems: columns.length,
          description: 'Which columns may change; default: all that the type knows.',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  input: Type.Object({ source: Source, user_ids: Type.Array(UserId), fields: Type.Array(Column) }),
  result: Type.Object({
    success: Type.Boolean(),
    synced_users: Type.Array(
      Type.Object({
        user_id: UserId,
        data: Type.Record(Type.String(), Type.Union([Type.String({ maxLength: 1000 }), Type.Number(), Type.Boolean(), Type.Null()])),
        verified: Type.Boolean({ description: 'True when the values were compared with the source after reading.' }),
      }),
      { maxItems: batchSize * 2 },
    ),
    errors: Type.Optional(Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 100 })),
  }),
  retry: { maxAttempts: 3 },

  plan({ payload }) {
    const batches: number[][] = []
    for (let i = 0; i < payload.user_ids.length; i += batchSize) batches.push(payload.user_ids.slice(i, i + batchSize))
    return batches.map((user_ids) => ({ input: { source: payload.source, user_ids, fields: payload.fields ?? [...columns] } }))
  },

  verify: [
    {
      name: 'sync_succeeded',
      check: ({ result }) =>
        result.success
          ? []
          : [
              {
                field: 'success',
                code: 'sync_failed',
                message: 'A failed sync is not a result: report it with fail, so that it is tried again.',
              },
            ],
    },
    {
      name: 'every_user_once',
      check({ input, result }) {
        const findings = []
        const seen = new Set<number>()
        for (const [i, user] of result.synced_users.entries()) {
          if (!input.user_ids.includes(user.user_id))
            findings.push({
              field: `synced_users.${i}.user_id`,
              code: 'user_not_requested',
              message: `User ${user.user_id} is not in this item; leave it out.`,
            })
          else if (seen.has(user.user_id))
            findings.push({
              field: `synced_users.${i}.user_id`,
              code: 'user_twice',
              message: `User ${user.user_id} is reported twice; keep one.`,
            })
          seen.add(user.user_id)
        }
        const missing = input.user_ids.filter((id) => !seen.has(id))
        if (missing.length > 0)
          findings.push({
            field: 'synced_users',
            code: 'users_missing',
            message: `These users of the item are missing: ${missing.join(', ')}.`,
          })
        return findings
      },
    },
    {
      name: 'every_user_verified',
      check: ({ result }) =>
        result.synced_users.flatMap((user, i) =>
          user.verified
            ? []
            : [
                {
                  field: `synced_users.${i}.verified`,
                  code: 'user_not_verified',
                  message: `User ${user.user_id} is not verified: compare the values with the source, then set verified to true.`,
                },
              ],
        ),
    },
    {
      name: 'only_requested_fields',
      check: ({ input, result }) =>
        result.synced_users.flatMap((user, i) =>
          Object.keys(user.data)
            .filter((name) => !(input.fields as readonly string[]).includes(name))
            .map((name) => ({
              field: `synced_users.${i}.data.${name}`,
              code: 'field_not_allowed',
              message: `Column '${name}' is not part of this sync; allowed: ${input.fields.join(', ')}.`,
            })),
        ),
    },
  ],

  async apply(ctx) {
    let updated = 0
    for (const item of ctx.items) {
      for (const user of item.result.synced_users) {
        const before = (await ctx.records.get('users', String(user.user_id))) as Record<string, unknown> | undefined
        await ctx.records.put('users', String(user.user_id), { ...before, ...user.data })
        updated++
      }
    }
    return ctx.diff({ updated_count: 0 }, { updated_count: updated }, `Synced ${updated} users from ${ctx.order.payload.source}`)
  },
})
