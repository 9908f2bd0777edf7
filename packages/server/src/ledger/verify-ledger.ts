import { WorkError } from '@work-manager/contract'
import Type from 'typebox'
import { defineOperation } from './tools.ts'
import { damages, verifyPart } from './verify.ts'

const mostEntries = 20_000
const head = Type.Object({ seq: Type.Integer({ minimum: 0 }), hash: Type.String() })

/**
 * The same check as an export's, by the server itself, and one that no export can make: whether events stand in the database that nobody
 * numbered. Entry by entry, so a long chain takes several calls.
 */
export const verifyLedger = defineOperation({
  name: 'verify_ledger',
  summary: 'Recompute the hashes of the record in the database, and look for events behind its end that nobody numbered.',
  http: { method: 'GET', path: '/ledger/verify', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['validation_failed', 'record_behind'],
  command: { words: 'ledger verify', byHand: true },
  tool: 'for auditors; agents do not judge the record',
  input: Type.Object({
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'Go on behind this entry: next_after of the call before. Its own hash is taken as it stands.',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: mostEntries, description: `Entries to recompute in this call (default ${mostEntries}).` }),
    ),
    checkpoint: Type.Optional(
      Type.String({
        pattern: '^\\d{1,15}:[0-9a-f]{64}$',
        description: 'seq:hash of a head that was written down earlier: shows a chain that was computed anew.',
      }),
    ),
  }),
  output: Type.Object({
    ok: Type.Boolean({ description: 'Whether everything up to `seq` holds.' }),
    seq: Type.Integer({ minimum: 0, description: 'The last entry that was looked at, or the first one that does not hold.' }),
    damage: Type.Union([Type.Null(), Type.Enum(Object.keys(damages))], { description: 'What is wrong, in a word.' }),
    detail: Type.Union([Type.Null(), Type.String()], { description: 'What is wrong, in a sentence.' }),
    head: Type.Union([Type.Null(), head], { description: 'The end of the chain: write it down elsewhere.' }),
    next_after: Type.Union([Type.Null(), Type.Integer({ minimum: 0 })], { description: 'Send it as `after` to go on; null at the end.' }),
  }),
  handler(context, input) {
    const { tenantId } = context.principal
    const [, seq, hash] = /^(\d+):(.+)$/.exec(input.checkpoint ?? '') ?? []
    const checkpoint = seq === undefined ? null : { seq: Number(seq), hash: hash! }
    const after = input.after ?? 0
    if (checkpoint !== null && checkpoint.seq <= after && after > 0) {
      const message = `The checkpoint at ${checkpoint.seq} lies at or before entry ${after}, where this call begins.`
      throw new WorkError('validation_failed', { detail: message, errors: [{ field: 'checkpoint', code: 'before_start', message }] })
    }
    return context.readRecord(async (q) => {
      const { verdict, nextAfter } = await verifyPart(q, tenantId, { after, most: input.limit ?? mostEntries, checkpoint })
      const body = verdict.ok
        ? { ok: true, seq: verdict.entries, damage: null, detail: null, head: verdict.head, next_after: nextAfter }
        : { ok: false, seq: verdict.seq, damage: verdict.damage, detail: verdict.detail, head: null, next_after: null }
      return { status: 200, body }
    })
  },
})
