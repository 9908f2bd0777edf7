import { describe, expect, it } from 'vitest'
import { testOrderType } from '../../../../testing/order-type-kit.ts'
import { cityTierGeneration, tierOf } from './city-tier-generation.ts'
import { contentFactCheck } from './content-fact-check.ts'
import { customerResearch } from './customer-research.ts'
import { databaseRecordInsert } from './database-record-insert.ts'
import { userDataSync } from './user-data-sync.ts'

const codes = (findings: readonly { code: string }[]) => findings.map((f) => f.code)
const today = new Date().toISOString()
const yearsAgo = (n: number) => new Date(Date.now() - n * 366 * 24 * 3600 * 1000).toISOString()
const words = (n: number) => 'These words explain why, with 1 figure. '.repeat(Math.ceil(n / 40)).slice(0, n)

describe('user.data.sync', () => {
  const user = (user_id: number, more: object = {}) => ({ user_id, data: { email: `${user_id}@x.y` }, verified: true, ...more })
  const started = async (payload: object) => {
    const kit = testOrderType(userDataSync, { records: { users: { 1: { email: 'old', is_admin: false } } } })
    return { kit, items: await kit.plan({ source: 'crm', ...payload }) }
  }

  it('plans batches of 50 with three attempts each', async () => {
    const { items } = await started({ user_ids: Array.from({ length: 150 }, (_, i) => i + 1) })
    expect(items.map((i) => (i.input as { user_ids: number[] }).user_ids.length)).toEqual([50, 50, 50])
    expect(items[0]).toMatchObject({ maxAttempts: 3, input: { source: 'crm', fields: expect.arrayContaining(['email']) } })
  })

  it('refuses missing, foreign, repeated and unverified users', async () => {
    const { kit } = await started({ user_ids: [1, 2, 3] })
    const findings = await kit.submit(0, { success: true, synced_users: [user(1), user(1), user(9), user(2, { verified: false })] })
    expect(codes(findings)).toEqual(['user_twice', 'user_not_requested', 'users_missing', 'user_not_verified'])
  })

  it('refuses columns that the order does not name, so no rights can be slipped in', async () => {
    const { kit } = await started({ user_ids: [1], fields: ['email'] })
    const findings = await kit.submit(0, { success: true, synced_users: [user(1, { data: { email: 'a', is_admin: true, plan: 'pro' } })] })
    expect(findings.map((f) => f.field)).toEqual(['synced_users.0.data.is_admin', 'synced_users.0.data.plan'])
    await expect(started({ user_ids: [1], fields: ['is_admin'] })).rejects.toThrow(/must be one of/)
  })

  it('updates the records and counts them', async () => {
    const { kit } = await started({ user_ids: [1, 2] })
    expect(await kit.submit(0, { success: true, synced_users: [user(1), user(2)] })).toEqual([])
    await kit.approve()
    expect((await kit.apply()).changes).toEqual({ updated_count: { type: 'modified', from: 0, to: 2 } })
    expect(await kit.records.get('users', '1')).toEqual({ email: '1@x.y', is_admin: false })
  })
})

describe('database.record.insert', () => {
  const data = { sku: 'A-1', name: 'Lamp', price: 9.5 }
  const verification = { checked: true, valid: true }
  const started = async (records: object[] = [{ data }], seed = {}) => {
    const kit = testOrderType(databaseRecordInsert, { records: seed })
    await kit.plan({ table: 'products', records })
    return kit
  }

  it('refuses unknown and missing columns, lost values, repeated keys and another count', async () => {
    const kit = await started([{ data: { ...data, stock: 3 } }, { data }])
    const findings = await kit.submit(0, { records: [{ data: { sku: 'A-1', name: '', price: 1, owner: 'me' } }, { data }], verification })
    expect(codes(findings)).toEqual(['column_not_allowed', 'column_required', 'column_lost', 'key_twice'])
    expect(codes(await kit.submit(0, { records: [{ data }], verification }))).toContain('record_count')
  })

  it('wants the records checked and valid, unless no record asks for it', async () => {
    const kit = await started()
    expect(codes(await kit.submit(0, { records: [{ data }], verification: { checked: false, valid: false } }))).toEqual(['not_checked'])
    expect(codes(await kit.submit(0, { records: [{ data }], verification: { checked: true, valid: false } }))).toEqual(['not_valid'])
    const lenient = await started([{ data, validate: false }])
    expect(await lenient.submit(0, { records: [{ data }], verification: { checked: false, valid: false } })).toEqual([])
    expect(await lenient.approve()).toEqual([])
  })

  it('the server inserts after approval, and never over an existing record', async () => {
    const kit = await started()
    await kit.submit(0, { records: [{ data }], verification })
    expect(await kit.records.list('products')).toEqual([])
    await kit.approve()
    expect((await kit.apply()).after).toEqual({ record_count: 1, record_ids: ['A-1'] })
    expect(await kit.records.get('products', 'A-1')).toEqual(data)
    const taken = await started([{ data }], { products: { 'A-1': { name: 'Other' } } })
    await taken.submit(0, { records: [{ data }], verification })
    await taken.approve()
    await expect(taken.apply()).rejects.toThrow(/already has a record with sku 'A-1'/)
  })

  it('refuses a table outside the list', async () => {
    await expect(testOrderType(databaseRecordInsert).plan({ table: 'users', records: [{ data }] })).rejects.toThrow(
      /must be one of: products, categories, tags/,
    )
  })
})

describe('content.fact.check', () => {
  const source = {
    url: 'https://stats.example.org/a',
    title: 'Figures',
    retrieved_at: today,
    source_credibility: 'high',
    published_date: yearsAgo(1),
  }
  const verdict = (more: object = {}) => ({
    claim_id: 'c1',
    verdict: 'verified',
    confidence: 0.9,
    explanation: words(60),
    evidence: [source],
    ...more,
  })
  const started = async (type = 'statistic', records = {}) => {
    const kit = testOrderType(contentFactCheck, { records })
    const items = await kit.plan({ content_id: 7, policy_version: 'v2', claims: [{ id: 'c1', text: 'Half of all.', type }] })
    return { kit, items }
  }

  it('plans one item per claim with two attempts, and refuses repeated ids', async () => {
    const { items } = await started()
    expect(items).toMatchObject([
      { maxAttempts: 2, input: { claim_id: 'c1', claim_type: 'statistic', content_id: 7, policy_version: 'v2' } },
    ])
    const claim = { id: 'x', text: 't', type: 'fact' }
    await expect(testOrderType(contentFactCheck).plan({ content_id: 1, policy_version: 'v', claims: [claim, claim] })).rejects.toThrow(
      /two claims have the id 'x'/,
    )
  })

  const cases: [string, string, object, string[]][] = [
    ['another claim', 'fact', { claim_id: 'c2' }, ['claim_mismatch']],
    ['a false verdict without corrections', 'fact', { verdict: 'false' }, ['corrections_required']],
    [
      'a verified verdict without a credible source',
      'fact',
      { evidence: [{ ...source, source_credibility: 'low' }] },
      ['high_credibility_required'],
    ],
    ['a sure "inconclusive"', 'fact', { verdict: 'inconclusive' }, ['confidence_contradicts_verdict']],
    [
      'old figures',
      'statistic',
      { evidence: [{ ...source, retrieved_at: yearsAgo(2.1), published_date: yearsAgo(3.1) }] },
      ['source_date', 'source_date'],
    ],
    ['sources from the future', 'fact', { evidence: [{ ...source, retrieved_at: '2999-01-01' }] }, ['source_date']],
    ['a quote claim without a quote', 'quote', {}, ['quote_required']],
    ['a script as a source', 'fact', { evidence: [{ ...source, url: 'javascript:alert(1)' }] }, ['schema.pattern']],
  ]
  it.each(cases)('refuses %s', async (_, type, change, expected) => {
    const { kit } = await started(type)
    expect(codes(await kit.submit(0, verdict(change)))).toEqual(expected)
  })

  it('old sources are fine for what is no statistic', async () => {
    const { kit } = await started('fact')
    expect(await kit.submit(0, verdict({ evidence: [{ ...source, published_date: '1999-01-01' }] }))).toEqual([])
  })

  it('a claim that turned out false blocks approval and is named', async () => {
    const { kit } = await started()
    expect(await kit.submit(0, verdict({ verdict: 'false', confidence: 0.75 }))).toEqual([])
    expect(await kit.approve()).toMatchObject([{ code: 'claim_requires_correction', claim_id: 'c1' }])
    expect(await kit.submit(0, verdict({ verdict: 'inconclusive', confidence: 0.4 }))).toEqual([])
    expect(codes(await kit.approve())).toEqual(['claim_undecided'])
  })

  it("replaces the content's checks and counts verdicts", async () => {
    const { kit } = await started('statistic', { content_checks: { '7:old': 1, '77:other': 1 }, contents: { 7: { title: 'T' } } })
    await kit.submit(0, verdict())
    await kit.approve()
    expect((await kit.apply()).after).toMatchObject({ fact_checked: true, claims: 1, verified: 1, false: 0 })
    expect((await kit.records.list('content_checks')).map((r) => r.key)).toEqual(['77:other', '7:c1'])
    expect(await kit.records.get('contents', '7')).toMatchObject({ title: 'T', fact_checked: true })
  })
})

describe('city.tier.generation', () => {
  const year = new Date().getUTCFullYear()
  const citation = { url: 'https://city.example.org', title: 'Report', data_point: '12 per 1000', retrieved_at: today, year }
  const rating = (dimension: string, more: object = {}) => ({
    dimension,
    score: 7.2,
    tier: 'B',
    explanation: words(120),
    key_points: Array(3).fill('A point of twenty characters.'),
    citations: [citation, citation],
    ...more,
  })
  const started = async (dimensions = ['safety']) => {
    const kit = testOrderType(cityTierGeneration)
    return { kit, items: await kit.plan({ city_id: 3, city_name: 'Porto', country_code: 'PT', dimensions }) }
  }

  it('plans one item per dimension with the default number of sources', async () => {
    const { items } = await started(['safety', 'housing', 'safety'])
    expect(items.map((i) => i.input)).toMatchObject([{ dimension: 'safety', min_sources: 2 }, { dimension: 'housing' }])
  })

  it('the tier follows from the score', () => {
    expect([8.5, 8.4, 7, 6.9, 5.5, 5.4, 4, 3.9].map(tierOf)).toEqual(['A', 'B', 'B', 'C', 'C', 'D', 'D', 'F'])
  })

  const cases: [string, string, object, string[]][] = [
    ['another dimension', 'safety', { dimension: 'climate' }, ['dimension_mismatch']],
    ['a tier that does not follow', 'safety', { tier: 'A' }, ['tier_mismatch']],
    ['too few citations', 'safety', { citations: [citation] }, ['too_few_citations']],
    [
      'old and future data',
      'safety',
      {
        citations: [
          { ...citation, year: year - 4 },
          { ...citation, year: year + 2 },
        ],
      },
      ['citation_year', 'citation_year'],
    ],
    ['prose without a figure', 'safety', { explanation: 'no figures at all '.repeat(8) }, ['number_required']],
    ['money without a currency', 'housing', {}, ['currency_required']],
    ['short key points', 'safety', { key_points: ['a', 'b', 'c'] }, ['schema.min_length', 'schema.min_length', 'schema.min_length']],
  ]
  it.each(cases)('refuses %s', async (_, dimension, change, expected) => {
    const { kit } = await started([dimension])
    expect(codes(await kit.submit(0, rating(dimension, change)))).toEqual(expected)
  })

  it('records the mean and its tier', async () => {
    const { kit } = await started(['safety', 'climate'])
    await kit.submit(0, rating('safety', { score: 9, tier: 'A' }))
    await kit.submit(1, rating('climate'))
    await kit.approve()
    expect((await kit.apply()).after).toEqual({ tier: 'B', overall_score: 8.1, dimension_count: 2 })
    expect(await kit.records.list('city_ratings')).toHaveLength(2)
  })
})

describe('customer.research', () => {
  const sources = [{ url: 'https://acme.example.com/about' }]
  const identity = { name: 'Acme', domain: 'www.acme.example.com', confidence: 0.9, sources }
  const firmographics = { employees: 120, confidence: 0.8, sources }
  const contact = (name: string) => ({ name, confidence: 0.7 })
  const started = async (more: object = {}, records = {}) => {
    const kit = testOrderType(customerResearch, { records })
    return { kit, items: await kit.plan({ company_name: 'Acme', customer_id: 5, domain: 'acme.example.com', depth: 'quick', ...more }) }
  }

  it('the depth says which parts are required', async () => {
    const required = async (depth?: string) => (await started({ depth })).items[0]?.partsRequired
    expect(await required('quick')).toEqual(['identity', 'firmographics'])
    expect(await required()).toEqual(['identity', 'firmographics', 'web_presence', 'contacts'])
    expect(await required('deep')).toHaveLength(6)
  })

  it('refuses low confidence, another company, missing sources and wrong shapes per part', async () => {
    const { kit } = await started()
    expect(codes(await kit.submitPart(0, 'identity', { ...identity, confidence: 0.5 }))).toEqual(['low_confidence'])
    expect(codes(await kit.submitPart(0, 'identity', { ...identity, domain: 'other.com' }))).toEqual(['other_company'])
    expect(codes(await kit.submitPart(0, 'firmographics', { ...firmographics, sources: [] }))).toEqual(['schema.min_items'])
    expect(codes(await kit.submitPart(0, 'contacts', { contacts: [] }))).toEqual(['schema.min_items'])
    expect(codes(await kit.submitPart(0, 'anything', { rows: 1 }))).toContain('schema.required')
  })

  it('missing parts are named at finalize', async () => {
    const { kit } = await started()
    await kit.submitPart(0, 'identity', identity)
    expect(await kit.finalize(0)).toMatchObject([{ field: 'firmographics', code: 'part.missing' }])
  })

  it('lists of several seqs are joined in order, and unknown keys are kept', async () => {
    const { kit } = await started()
    await kit.submitPart(0, 'identity', identity)
    await kit.submitPart(0, 'firmographics', firmographics)
    await kit.submitPart(0, 'contacts', { contacts: [contact('B')] }, { seq: 10 })
    await kit.submitPart(0, 'contacts', { contacts: [contact('A')] }, { seq: 2 })
    await kit.submitPart(0, 'patents', { data: [1] })
    expect(await kit.finalize(0)).toEqual([])
    expect(await kit.approve()).toEqual([])
    const diff = await kit.apply()
    expect(diff).toMatchObject({
      before: { enriched: false, enrichment_count: 0 },
      after: { enriched: true, enrichment_count: 1, research_depth: 'quick', overall_confidence: 0.8, facets: 4 },
    })
    expect(await kit.records.get('customer_facets', '5:contacts')).toMatchObject({ contacts: [{ name: 'A' }, { name: 'B' }] })
    expect(await kit.records.get('customer_facets', '5:patents')).toMatchObject({ data: [1] })
  })

  it('a whole result is judged by the same rules, and a missing facet blocks approval', async () => {
    const { kit } = await started({ depth: 'standard' })
    expect(codes(await kit.submit(0, { firmographics }))).toEqual(['identity_required'])
    expect(codes(await kit.submit(0, { identity: { ...identity, confidence: 0.3 } }))).toEqual(['low_confidence', 'low_confidence'])
    expect(await kit.submit(0, { identity, firmographics })).toEqual([])
    expect(await kit.approve()).toMatchObject([{ code: 'facet_missing' }, { code: 'facet_missing' }])
  })
})
