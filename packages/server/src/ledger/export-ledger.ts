import Type, { type TSchema } from 'typebox'
import { findLedgerHead, renderLedger } from './store.ts'
import { defineOperation } from './tools.ts'
import { PageBudget } from '../kernel/store/page-budget.ts'

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
  refuses: ['record_behind'],
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
    format: Type.Literal('wm2', {
      description: 'How a hash is made: SHA-256 over wm2 and netstrings; migrations/routines/30_numbering.sql spells it out.',
    }),
    tenant_id: Type.String({ format: 'uuid', description: 'Part of every hash.' }),
    entries: Type.Array(
      Type.Object(
        {
          seq: seq('From 1, without a gap.'),
          hash_version: Type.Integer({ description: 'The rule of this hash: 2, or 1 for events from before the upgrade to it.' }),
          prev_hash: hash('The hash of the entry before; 64 zeros at seq 1.'),
          hash: hash('SHA-256 over prev_hash, tenant, seq and the event.'),
          event: Type.Object({
            id: Type.String({ format: 'uuid' }),
            kind: Type.String(),
            decided_at: Type.String({ format: 'date-time', description: 'Hashed as this text, with microseconds.' }),
            subject_type: Type.String(),
            subject_id: text,
            root_id: text,
            label: text,
            actor_type: text,
            actor_id: text,
            principal: text,
            request_id: text,
            trace_id: text,
            provenance_id: text,
            correlation_id: text,
            causation_id: text,
            session_key: text,
            priority: Type.Integer(),
            reason: text,
            seconds: nullable(Type.String({ description: 'A number as the text that is hashed.' })),
            payload: nullable(Type.String({ description: 'JSON as text, byte for byte as it is stored and hashed.' })),
            diff: nullable(Type.String({ description: 'JSON as text, byte for byte as it is stored and hashed.' })),
            message: text,
          }),
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
    return context.readRecord(async (q) => {
      const head = (await findLedgerHead(q, tenantId)) ?? null
      const size = input.limit ?? defaultSize
      const range = { after: input.after ?? 0, through: head?.seq ?? 0, limit: size }
      // The list limits itself: it ends a page behind the last entry of a number.
      const { rows, more } = await new PageBudget().page(q, Number.POSITIVE_INFINITY, (within) => renderLedger(within, tenantId, range))
      const last = rows.at(-1)?.seq
      // Where the bytes ended it, that may be between two entries of one number: all of them belong to this page.
      const entries =
        more && last !== undefined
          ? [...rows.filter(({ seq }) => seq < last), ...(await renderLedger(q, tenantId, { after: last - 1, through: last, limit: 1 }))]
          : rows
      const next = head && last !== undefined && last < head.seq ? last : null
      return {
        status: 200,
        json: `{"format":"wm2","tenant_id":"${tenantId}","entries":[${entries.map((entry) => entry.json).join(',')}],"head":${JSON.stringify(head)},"next_after":${next}}`,
      }
    })
  },
})
