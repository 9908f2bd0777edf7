import Type, { type TSchema } from 'typebox'
import { findLedgerHead, renderLedger } from './store.ts'
import { defineOperation } from './tools.ts'

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const text = nullable(Type.String())
const hash = (description: string) => Type.String({ pattern: '^[0-9a-f]{64}$', description })
const seq = (description: string) => Type.Integer({ minimum: 0, description })

const defaultSize = 500

/** Reads one page of the tenant's chain. The head is read first, so that the pages always reach it. */
export const exportLedger = defineOperation({
  name: 'export_ledger',
  summary: 'Export the hash-chained record, so that a stranger can verify it offline.',
  http: { method: 'GET', path: '/ledger', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: [],
  command: { words: 'ledger export', byHand: true },
  tool: 'for auditors; far too large for an answer to a model',
  input: Type.Object({
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'Only entries with a greater seq; next_after of the page before.',
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: `Entries per page (default ${defaultSize}).` })),
  }),
  output: Type.Object({
    format: Type.Literal('wm1', {
      description: 'How a hash is made: SHA-256 over wm1 and netstrings; migrations/routines/30_sequencer.sql spells it out.',
    }),
    tenant_id: Type.String({ format: 'uuid', description: 'Part of every hash.' }),
    entries: Type.Array(
      Type.Object(
        {
          seq: seq('From 1, without a gap.'),
          prev_hash: hash('The hash of the entry before; 64 zeros at seq 1.'),
          hash: hash('SHA-256 over prev_hash, tenant, seq and the fact.'),
          event: nullable(
            Type.Object({
              id: Type.String({ format: 'uuid' }),
              order_id: text,
              item_id: text,
              kind: Type.String(),
              decided_at: Type.String({ format: 'date-time', description: 'Hashed as this text, with microseconds.' }),
              actor_type: text,
              actor_id: text,
              principal: text,
              payload: nullable(Type.String({ description: 'JSON as text, byte for byte as it is stored and hashed.' })),
              diff: nullable(Type.String({ description: 'JSON as text, byte for byte as it is stored and hashed.' })),
              message: text,
            }),
          ),
        },
        { title: 'LedgerEntry' },
      ),
    ),
    head: nullable(
      Type.Object({ seq: seq('The newest entry.'), hash: hash('Its hash: write it down elsewhere to notice a rewritten chain.') }),
    ),
    next_after: nullable(seq('Send it as `after` for the next page; null on the last one.')),
  }),
  handler(context, input) {
    const { tenantId } = context.principal
    return context.read(async (q) => {
      const head = (await findLedgerHead(q, tenantId)) ?? null
      const size = input.limit ?? defaultSize
      const entries = head ? await renderLedger(q, tenantId, { after: input.after ?? 0, through: head.seq, limit: size }) : []
      const last = entries.at(-1)?.seq
      const next = head && last !== undefined && last < head.seq ? last : null
      return {
        status: 200,
        json: `{"format":"wm1","tenant_id":"${tenantId}","entries":[${entries.map((entry) => entry.json).join(',')}],"head":${JSON.stringify(head)},"next_after":${next}}`,
      }
    })
  },
})
