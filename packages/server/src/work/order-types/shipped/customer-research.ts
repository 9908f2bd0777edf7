/**
 * `customer.research`: one item per customer, handed in as parts, one per facet. Parts survive a lost lease, so the next agent goes on
 * where the first one stopped. Long lists (contacts, news) may be split over several `seq` numbers.
 */
import Type, { type Static, type TProperties } from 'typebox'
import { defineOrderType } from '../define-order-type.ts'

const depths = {
  quick: ['identity', 'firmographics'],
  standard: ['identity', 'firmographics', 'web_presence', 'contacts'],
  deep: ['identity', 'firmographics', 'web_presence', 'contacts', 'tech_stack', 'news'],
} as const

const hostname = '^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\\.)+[a-zA-Z]{2,63}$'
const text = (maxLength: number, minLength = 1) => Type.String({ minLength, maxLength })
const Url = Type.String({ format: 'uri', pattern: '^https?://', maxLength: 2000 })
const Confidence = Type.Number({ minimum: 0, maximum: 1 })
const Sources = Type.Array(Type.Object({ url: Url, title: Type.Optional(text(500)) }), { minItems: 1, maxItems: 50 })
const facet = <P extends TProperties>(properties: P) =>
  Type.Object({ ...properties, confidence: Confidence, sources: Sources }, { additionalProperties: false })
const optional = Type.Optional

const facets = {
  identity: facet({
    name: text(200, 2),
    domain: optional(text(253)),
    industry: optional(text(200)),
    description: optional(text(1000)),
    year_founded: optional(Type.Integer({ minimum: 1800, maximum: 2200 })),
  }),
  firmographics: facet({
    employees: optional(Type.Integer({ minimum: 1 })),
    revenue: optional(Type.Number({ minimum: 0 })),
    revenue_currency: optional(Type.String({ pattern: '^[A-Z]{3}$' })),
    headquarters: optional(text(300)),
    locations: optional(Type.Array(Type.Object({ city: text(200), country: text(200) }), { maxItems: 200 })),
  }),
  web_presence: facet({
    website: optional(Url),
    linkedin: optional(Url),
    facebook: optional(Url),
    github: optional(Url),
    twitter: optional(text(200)),
  }),
  contacts: Type.Object(
    {
      contacts: Type.Array(
        Type.Object({
          name: text(200),
          title: optional(text(200)),
          email: optional(Type.String({ format: 'email', maxLength: 320 })),
          linkedin: optional(Url),
          phone: optional(text(50)),
          confidence: Confidence,
        }),
        { minItems: 1, maxItems: 50 },
      ),
    },
    { additionalProperties: false },
  ),
  tech_stack: Type.Object(
    {
      technologies: Type.Array(Type.Object({ name: text(200), category: optional(text(200)), confidence: Confidence }), {
        minItems: 1,
        maxItems: 200,
      }),
      sources: Sources,
    },
    { additionalProperties: false },
  ),
  news: Type.Object(
    {
      news: Type.Array(
        Type.Object({ title: text(500), url: Url, date: optional(Type.String({ format: 'date' })), summary: optional(text(500)) }),
        { maxItems: 20 },
      ),
    },
    { additionalProperties: false },
  ),
}

const Result = Type.Object({
  identity: optional(facets.identity),
  firmographics: optional(facets.firmographics),
  web_presence: optional(facets.web_presence),
  contacts: optional(
    Type.Object({ contacts: Type.Array(facets.contacts.properties.contacts.items, { maxItems: 100 }) }, { additionalProperties: false }),
  ),
  tech_stack: optional(facets.tech_stack),
  news: optional(Type.Object({ news: Type.Array(facets.news.properties.news.items, { maxItems: 100 }) }, { additionalProperties: false })),
  other: optional(
    Type.Record(text(100), Type.Object({ data: Type.Array(Type.Unknown()) }), {
      description: 'Facets that the type does not know, by their part key.',
    }),
  ),
})
type Result = Static<typeof Result>

const lists = { contacts: 'contacts', news: 'news' } as const
const named = Object.keys(facets)
const minConfidence = { identity: 0.7, firmographics: 0.7 } as const
const minOverall = 0.6

const bare = (domain: string): string =>
  domain
    .toLowerCase()
    .replace(/^https?:\/\//, '')
    .replace(/^www\./, '')
    .replace(/\/.*$/, '')

/** The mean over what the facets say of themselves: lists count with the mean of their entries, so a long list does not outweigh the rest. */
export function overallConfidence(result: Result): number {
  const mean = (values: readonly number[]): number[] => (values.length === 0 ? [] : [values.reduce((a, b) => a + b, 0) / values.length])
  const said = [result.identity, result.firmographics, result.web_presence].flatMap((f) => (f ? [f.confidence] : []))
  const all = [
    ...said,
    ...mean((result.contacts?.contacts ?? []).map((c) => c.confidence)),
    ...mean((result.tech_stack?.technologies ?? []).map((t) => t.confidence)),
  ]
  return Math.round((mean(all)[0] ?? 0) * 100) / 100
}

export const customerResearch = defineOrderType({
  type: 'customer.research',
  title: 'Research a customer',
  description: 'Collects what is publicly known about a company, facet by facet, each with sources and a confidence.',
  payload: Type.Object(
    {
      company_name: text(200, 2),
      customer_id: optional(Type.Integer({ minimum: 1, description: 'Default: the record is kept under the company name.' })),
      domain: optional(Type.String({ pattern: hostname, maxLength: 253 })),
      depth: optional(Type.Enum(['quick', 'standard', 'deep'], { description: 'Default standard.' })),
      markets: optional(Type.Array(text(100), { maxItems: 50 })),
    },
    { additionalProperties: false },
  ),
  result: Result,
  retry: { maxAttempts: 3 },

  parts: {
    schemas: { ...facets, '*': Type.Object({ data: Type.Array(Type.Unknown(), { maxItems: 1000 }) }, { additionalProperties: false }) },
    required: (input) => depths[input.depth ?? 'standard'],
    verify: [
      {
        name: 'same_company',
        check({ input, partKey, payload }) {
          const domain = partKey === 'identity' ? (payload as Static<typeof facets.identity>).domain : undefined
          if (domain === undefined || input.domain === undefined || bare(domain) === bare(input.domain)) return []
          return [
            {
              field: 'domain',
              code: 'other_company',
              message: `The order is about ${input.domain}; '${domain}' is another company's domain.`,
            },
          ]
        },
      },
      {
        name: 'confident_enough',
        check({ partKey, payload }) {
          const least = Object.hasOwn(minConfidence, partKey) ? minConfidence[partKey as keyof typeof minConfidence] : 0
          const { confidence } = payload as { confidence?: number }
          return confidence !== undefined && confidence < least
            ? [
                {
                  field: 'confidence',
                  code: 'low_confidence',
                  message: `${partKey} needs a confidence of at least ${least}; look for better sources.`,
                },
              ]
            : []
        },
      },
    ],
    assemble(parts) {
      const result: Record<string, unknown> = {}
      const other: [string, unknown][] = []
      for (const { partKey, payload } of parts) {
        const list = lists[partKey as keyof typeof lists] as string | undefined
        if (list !== undefined && Object.hasOwn(lists, partKey)) {
          const before = (result[partKey] as Record<string, unknown[]> | undefined)?.[list] ?? []
          result[partKey] = { [list]: [...before, ...((payload as Record<string, unknown[]>)[list] ?? [])] }
        } else if (named.includes(partKey)) result[partKey] = payload
        else other.push([partKey, payload])
      }
      return (other.length === 0 ? result : { ...result, other: Object.fromEntries(other) }) as Result
    },
  },

  verify: [
    {
      name: 'company_is_named',
      check: ({ result }) =>
        result.identity
          ? []
          : [
              {
                field: 'identity.name',
                code: 'identity_required',
                message: 'Without identity.name there is nobody to attach the findings to.',
              },
            ],
    },
    {
      name: 'same_company',
      check: ({ input, result }) =>
        result.identity?.domain && input.domain && bare(result.identity.domain) !== bare(input.domain)
          ? [{ field: 'identity.domain', code: 'other_company', message: `The order is about ${input.domain}.` }]
          : [],
    },
    {
      name: 'confident_enough',
      check({ result }) {
        const low = (['identity', 'firmographics'] as const).flatMap((key) => {
          const confidence = result[key]?.confidence
          return confidence !== undefined && confidence < minConfidence[key]
            ? [
                {
                  field: `${key}.confidence`,
                  code: 'low_confidence',
                  message: `${key} needs a confidence of at least ${minConfidence[key]}.`,
                },
              ]
            : []
        })
        const overall = overallConfidence(result)
        return overall < minOverall
          ? [...low, { field: '', code: 'low_confidence', message: `The mean confidence is ${overall}; at least ${minOverall} is needed.` }]
          : low
      },
    },
  ],

  canApprove: (_, items) =>
    items.flatMap((item) =>
      depths[item.input.depth ?? 'standard']
        .filter((key) => item.result[key] === undefined)
        .map((key) => ({
          field: `items.${item.ordinal}.${key}`,
          code: 'facet_missing',
          message: `The facet ${key} is missing.`,
          item_id: item.id,
        })),
    ),

  async apply(ctx) {
    const { company_name, customer_id, depth } = ctx.order.payload
    const customer = customer_id === undefined ? bare(ctx.order.payload.domain ?? company_name) : String(customer_id)
    const before = (await ctx.records.get('customers', customer)) as Record<string, unknown> | undefined
    let written = 0
    for (const item of ctx.items) {
      for (const [key, value] of Object.entries({ ...item.result, ...item.result.other })) {
        if (key === 'other') continue
        await ctx.records.put('customer_facets', `${customer}:${key}`, { ...(value as object), order_id: ctx.order.id })
        written++
      }
    }
    const confidence = ctx.items[0] ? overallConfidence(ctx.items[0].result) : 0
    const count = (typeof before?.['enrichment_count'] === 'number' ? before['enrichment_count'] : 0) + 1
    const after = {
      enriched: true,
      enrichment_count: count,
      research_depth: depth ?? 'standard',
      overall_confidence: confidence,
      facets: written,
    }
    await ctx.records.put('customers', customer, { ...before, company_name, ...after })
    return ctx.diff(
      { enriched: before?.['enriched'] ?? false, enrichment_count: count - 1 },
      after,
      `${before ? 'Updated' : 'Added'} ${company_name}: ${written} facets, confidence ${confidence}`,
    )
  },
})
