/**
 * `content.fact.check`: one item per claim. A verdict needs sources that are recent and credible enough for its kind, and an order whose
 * claims turned out false cannot be approved: the content has to be corrected first.
 */
import Type, { type Static } from 'typebox'
import { defineOrderType } from '../define-order-type.ts'

const ClaimType = Type.Enum(['statistic', 'quote', 'fact', 'comparison'])
const Url = Type.String({ format: 'uri', pattern: '^https?://', maxLength: 2000 })
const moment = Type.Union([Type.String({ format: 'date-time' }), Type.String({ format: 'date' })])

const Source = Type.Object({
  url: Url,
  title: Type.String({ minLength: 1, maxLength: 500 }),
  quote: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
  retrieved_at: moment,
  source_credibility: Type.Enum(['high', 'medium', 'low']),
  author: Type.Optional(Type.String({ maxLength: 200 })),
  published_date: Type.Optional(moment),
})

const Input = Type.Object({
  claim_id: Type.String(),
  claim_text: Type.String(),
  claim_type: ClaimType,
  context: Type.Optional(Type.String()),
  line_number: Type.Optional(Type.Integer()),
  content_id: Type.Integer(),
  policy_version: Type.String(),
})

const verdicts = ['verified', 'false', 'inconclusive', 'outdated'] as const
const maxAgeYears = { retrieved_at: 2, published_date: 3 } as const
const yearMs = 365.25 * 24 * 3600 * 1000

function tooOld(source: Static<typeof Source>, member: keyof typeof maxAgeYears, now: string): string | undefined {
  const given = source[member]
  if (given === undefined) return undefined
  const age = Date.parse(now) - Date.parse(given)
  if (age < -24 * 3600 * 1000) return 'lies in the future'
  return age > maxAgeYears[member] * yearMs ? `is more than ${maxAgeYears[member]} years ago; find a newer source` : undefined
}

export const contentFactCheck = defineOrderType({
  type: 'content.fact.check',
  title: 'Check facts in content',
  description: 'Checks each claim of a piece of content against sources and records the verdicts.',
  payload: Type.Object(
    {
      content_id: Type.Integer({ minimum: 1 }),
      policy_version: Type.String({ minLength: 1, maxLength: 50 }),
      claims: Type.Array(
        Type.Object({
          id: Type.String({ minLength: 1, maxLength: 100 }),
          text: Type.String({ minLength: 1, maxLength: 5000 }),
          type: ClaimType,
          context: Type.Optional(Type.String({ maxLength: 5000 })),
          line_number: Type.Optional(Type.Integer({ minimum: 1 })),
        }),
        { minItems: 1, maxItems: 1000 },
      ),
    },
    { additionalProperties: false },
  ),
  input: Input,
  result: Type.Object({
    claim_id: Type.String(),
    verdict: Type.Enum([...verdicts]),
    confidence: Type.Number({ minimum: 0, maximum: 1 }),
    explanation: Type.String({ minLength: 50, maxLength: 2000 }),
    evidence: Type.Array(Source, { minItems: 1, maxItems: 10 }),
    corrections: Type.Optional(
      Type.Array(
        Type.Object({
          original: Type.String({ minLength: 1, maxLength: 5000 }),
          corrected: Type.String({ minLength: 1, maxLength: 5000 }),
          source: Url,
          reasoning: Type.String({ minLength: 1, maxLength: 2000 }),
        }),
        { maxItems: 20 },
      ),
    ),
  }),
  retry: { maxAttempts: 2 },

  plan({ payload }) {
    const ids = payload.claims.map((claim) => claim.id)
    const twice = ids.find((id, i) => ids.indexOf(id) < i)
    if (twice !== undefined) throw new Error(`two claims have the id '${twice}'; give each claim an id of its own`)
    return payload.claims.map(({ id, text, type, context, line_number }) => ({
      input: {
        claim_id: id,
        claim_text: text,
        claim_type: type,
        context,
        line_number,
        content_id: payload.content_id,
        policy_version: payload.policy_version,
      },
    }))
  },

  // Checks have no clock of their own; the moment of checking is read once, here.
  gather: async () => ({ now: new Date().toISOString() }),

  verify: [
    {
      name: 'claim_matches',
      check: ({ input, result }) =>
        result.claim_id === input.claim_id
          ? []
          : [{ field: 'claim_id', code: 'claim_mismatch', message: `This item is about the claim '${input.claim_id}'.` }],
    },
    {
      name: 'verdict_is_supported',
      check({ result }) {
        const { verdict, confidence, corrections, evidence } = result
        if ((verdict === 'false' || verdict === 'outdated') && confidence >= 0.8 && (corrections ?? []).length === 0)
          return [
            {
              field: 'corrections',
              code: 'corrections_required',
              message: `A verdict '${verdict}' with a confidence of 0.8 or more needs at least one correction.`,
            },
          ]
        if (verdict === 'verified' && !evidence.some((e) => e.source_credibility === 'high'))
          return [
            {
              field: 'evidence',
              code: 'high_credibility_required',
              message: "A verdict 'verified' needs at least one source of high credibility.",
            },
          ]
        if (verdict === 'inconclusive' && confidence > 0.7)
          return [
            {
              field: 'confidence',
              code: 'confidence_contradicts_verdict',
              message: "A verdict 'inconclusive' cannot have a confidence above 0.7.",
            },
          ]
        return []
      },
    },
    {
      name: 'sources_are_recent',
      check: ({ input, result, materials }) =>
        result.evidence.flatMap((source, i) =>
          (['retrieved_at', 'published_date'] as const).flatMap((member) => {
            const problem = tooOld(source, member, materials.now)
            const matters = input.claim_type === 'statistic' || problem === 'lies in the future'
            return problem && matters
              ? [{ field: `evidence.${i}.${member}`, code: 'source_date', message: `${member} of a source ${problem}.` }]
              : []
          }),
        ),
    },
    {
      name: 'quotes_are_quoted',
      check: ({ input, result }) =>
        input.claim_type === 'quote' && !result.evidence.some((e) => e.quote)
          ? [
              {
                field: 'evidence',
                code: 'quote_required',
                message: 'A claim about a quote needs at least one source with the quote as it stands there.',
              },
            ]
          : [],
    },
  ],

  canApprove: (_, items) =>
    items.flatMap((item) => {
      const { claim_id, verdict, confidence } = item.result
      const blocked =
        (verdict === 'false' || verdict === 'outdated') && confidence >= 0.7
          ? `is ${verdict}: the content needs a correction first`
          : verdict === 'inconclusive' && confidence < 0.5
            ? 'could not be decided: it needs another look'
            : undefined
      return blocked
        ? [
            {
              field: `items.${item.ordinal}`,
              code: verdict === 'inconclusive' ? 'claim_undecided' : 'claim_requires_correction',
              message: `Claim '${claim_id}' ${blocked}.`,
              claim_id,
              item_id: item.id,
            },
          ]
        : []
    }),

  async apply(ctx) {
    const { content_id, policy_version } = ctx.order.payload
    const content = String(content_id)
    const before = (await ctx.records.get('contents', content)) as Record<string, unknown> | undefined
    for (const row of await ctx.records.list('content_checks'))
      if (row.key.startsWith(`${content}:`)) await ctx.records.delete('content_checks', row.key)
    for (const item of ctx.items)
      await ctx.records.put('content_checks', `${content}:${item.result.claim_id}`, {
        ...item.result,
        policy_version,
        order_id: ctx.order.id,
      })
    const counts = Object.fromEntries(
      verdicts.map((verdict) => [verdict, ctx.items.filter((item) => item.result.verdict === verdict).length]),
    )
    const after = { fact_checked: true, policy_version, claims: ctx.items.length, ...counts }
    await ctx.records.put('contents', content, { ...before, ...after })
    return ctx.diff(
      { fact_checked: before?.['fact_checked'] ?? false },
      after,
      `Checked ${ctx.items.length} claims of content ${content}: ${verdicts.map((v) => `${counts[v]} ${v}`).join(', ')}`,
    )
  },
})
