import Type from 'typebox'
import { findLedgerHead } from '../../ledger/store.ts'
import { defineOperation } from '../tools.ts'
import { checkContent, contentDamages } from './check-content.ts'

const mostEntries = 5_000

export const verifyContent = defineOperation({
  name: 'verify_content',
  summary: 'Compare results, decisions, decided orders and documents with the digests on the record.',
  http: { method: 'GET', path: '/ledger/verify-content', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: ['record_behind'],
  command: { words: 'ledger verify-content', byHand: true },
  tool: 'for auditors; agents do not judge the record',
  input: Type.Object({
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'Go on behind this entry: next_after of the call before.',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: mostEntries, description: `Entries to look at in this call (default ${mostEntries}).` }),
    ),
  }),
  output: Type.Object({
    ok: Type.Boolean({ description: 'Whether all that the entries up to `seq` speak of is what they say.' }),
    seq: Type.Integer({ minimum: 0, description: 'The last entry that was looked at, or the first that does not hold.' }),
    damage: Type.Union([Type.Null(), Type.Enum(Object.keys(contentDamages))], { description: 'What is wrong, in a word.' }),
    detail: Type.Union([Type.Null(), Type.String()], { description: 'What is wrong, in a sentence.' }),
    next_after: Type.Union([Type.Null(), Type.Integer({ minimum: 0 })], { description: 'Send it as `after` to go on; null at the end.' }),
  }),
  handler: (context, input) =>
    context.readRecord(async (q) => {
      const { tenantId } = context.principal
      const after = input.after ?? 0
      const end = (await findLedgerHead(q, tenantId))?.seq ?? 0
      const through = Math.min(end, after + (input.limit ?? mostEntries))
      const finding = await checkContent(q, tenantId, { after, through })
      const body = finding
        ? { ok: false, ...finding, next_after: null }
        : { ok: true, seq: Math.max(after, through), damage: null, detail: null, next_after: through < end ? through : null }
      return { status: 200, body }
    }),
})
