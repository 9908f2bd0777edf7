/** `city.tier.generation`: rates a city in several dimensions, one item each, and derives an overall tier from the approved ratings. */
import Type from 'typebox'
import { defineOrderType } from '../define-order-type.ts'

const dimensions = [
  'safety',
  'cost_of_living',
  'job_market',
  'housing',
  'internet_quality',
  'public_transport',
  'healthcare',
  'education',
  'climate',
  'culture',
  'food_scene',
  'outdoor_activities',
  'nightlife',
  'walkability',
  'air_quality',
  'diversity',
] as const
const Dimension = Type.Enum([...dimensions])
const inMoney: ReadonlySet<string> = new Set(['cost_of_living', 'housing'])
const defaultSources = 2
const maxCitationAgeYears = 3

/** The tier that a score from 0 to 10 stands for. */
export function tierOf(score: number): 'A' | 'B' | 'C' | 'D' | 'F' {
  if (score >= 8.5) return 'A'
  if (score >= 7) return 'B'
  if (score >= 5.5) return 'C'
  return score >= 4 ? 'D' : 'F'
}

const City = {
  city_id: Type.Integer({ minimum: 1 }),
  city_name: Type.String({ minLength: 1, maxLength: 200 }),
  country_code: Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2, such as PT.' }),
}

export const cityTierGeneration = defineOrderType({
  type: 'city.tier.generation',
  title: 'Rate a city',
  description: 'Scores a city in each requested dimension with cited data, and records an overall score and tier.',
  payload: Type.Object(
    {
      ...City,
      dimensions: Type.Array(Dimension, { minItems: 1, maxItems: dimensions.length }),
      min_sources_per_dimension: Type.Optional(Type.Integer({ minimum: 1, maximum: 10, description: `Default ${defaultSources}.` })),
    },
    { additionalProperties: false },
  ),
  input: Type.Object({ ...City, dimension: Dimension, min_sources: Type.Integer() }),
  result: Type.Object({
    dimension: Dimension,
    score: Type.Number({ minimum: 0, maximum: 10 }),
    tier: Type.Enum(['A', 'B', 'C', 'D', 'F']),
    explanation: Type.String({ minLength: 100, maxLength: 3000 }),
    key_points: Type.Array(Type.String({ minLength: 20, maxLength: 500 }), { minItems: 3, maxItems: 10 }),
    citations: Type.Array(
      Type.Object({
        url: Type.String({ format: 'uri', pattern: '^https?://', maxLength: 2000 }),
        title: Type.String({ minLength: 1, maxLength: 500 }),
        data_point: Type.String({ minLength: 1, maxLength: 1000 }),
        retrieved_at: Type.Union([Type.String({ format: 'date-time' }), Type.String({ format: 'date' })]),
        year: Type.Integer({ minimum: 2020 }),
        source_type: Type.Optional(Type.Enum(['official', 'research', 'news', 'community', 'commercial'])),
      }),
      { minItems: 1, maxItems: 10 },
    ),
    metadata: Type.Optional(
      Type.Object({
        currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
        units: Type.Optional(Type.String({ maxLength: 50 })),
        sample_size: Type.Optional(Type.Integer({ minimum: 0 })),
      }),
    ),
  }),
  retry: { maxAttempts: 3 },

  plan({ payload }) {
    const { city_id, city_name, country_code } = payload
    return [...new Set(payload.dimensions)].map((dimension) => ({
      input: { city_id, city_name, country_code, dimension, min_sources: payload.min_sources_per_dimension ?? defaultSources },
    }))
  },

  gather: async () => ({ year: new Date().getUTCFullYear() }),

  verify: [
    {
      name: 'dimension_matches',
      check: ({ input, result }) =>
        result.dimension === input.dimension
          ? []
          : [{ field: 'dimension', code: 'dimension_mismatch', message: `This item is about ${input.dimension}.` }],
    },
    {
      name: 'tier_follows_from_score',
      check: ({ result }) =>
        result.tier === tierOf(result.score)
          ? []
          : [
              {
                field: 'tier',
                code: 'tier_mismatch',
                message: `A score of ${result.score} is tier ${tierOf(result.score)} (A from 8.5, B from 7, C from 5.5, D from 4, else F).`,
              },
            ],
    },
    {
      name: 'enough_recent_citations',
      check({ input, result, materials }) {
        const few =
          result.citations.length < input.min_sources
            ? [
                {
                  field: 'citations',
                  code: 'too_few_citations',
                  message: `At least ${input.min_sources} citations are asked for; there are ${result.citations.length}.`,
                },
              ]
            : []
        const years = result.citations.flatMap(({ year }, i) => {
          if (year > materials.year + 1)
            return [{ field: `citations.${i}.year`, code: 'citation_year', message: `${year} is too far in the future.` }]
          return year < materials.year - maxCitationAgeYears
            ? [
                {
                  field: `citations.${i}.year`,
                  code: 'citation_year',
                  message: `Data from ${year} is older than ${maxCitationAgeYears} years; cite something newer.`,
                },
              ]
            : []
        })
        return [...few, ...years]
      },
    },
    {
      name: 'explanation_has_numbers',
      check: ({ result }) =>
        /\d/.test(result.explanation)
          ? []
          : [{ field: 'explanation', code: 'number_required', message: 'The explanation must name at least one figure.' }],
    },
    {
      name: 'money_has_a_currency',
      check: ({ input, result }) =>
        inMoney.has(input.dimension) && !result.metadata?.currency
          ? [
              {
                field: 'metadata.currency',
                code: 'currency_required',
                message: `${input.dimension} needs the currency of its figures, such as EUR.`,
              },
            ]
          : [],
    },
  ],

  canApprove(order, items) {
    const have = new Set<string>(items.map((item) => item.result.dimension))
    return order.payload.dimensions
      .filter((d) => !have.has(d))
      .map((d) => ({ field: 'items', code: 'dimension_missing', message: `The rating for ${d} is missing.` }))
  },

  async apply(ctx) {
    const { city_id, city_name, country_code } = ctx.order.payload
    const city = String(city_id)
    const before = (await ctx.records.get('cities', city)) as
      | { tier?: string; overall_score?: number; dimension_count?: number }
      | undefined
    for (const row of await ctx.records.list('city_ratings'))
      if (row.key.startsWith(`${city}:`)) await ctx.records.delete('city_ratings', row.key)
    for (const item of ctx.items)
      await ctx.records.put('city_ratings', `${city}:${item.result.dimension}`, { ...item.result, order_id: ctx.order.id })
    const mean = ctx.items.reduce((sum, item) => sum + item.result.score, 0) / ctx.items.length
    const overall = Math.round(mean * 100) / 100
    const after = { tier: tierOf(overall), overall_score: overall, dimension_count: ctx.items.length }
    await ctx.records.put('cities', city, { ...before, city_name, country_code, ...after })
    return ctx.diff(
      { tier: before?.tier ?? null, overall_score: before?.overall_score ?? null, dimension_count: before?.dimension_count ?? 0 },
      after,
      `${city_name}: tier ${after.tier} (${overall}) from ${ctx.items.length} dimensions`,
    )
  },
})
