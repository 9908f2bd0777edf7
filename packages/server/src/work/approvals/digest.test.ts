import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DecisionDocument, digestOf, documentDigest, submissionDigest } from './digest.ts'

/** The same value with the keys of every object turned round. */
const turned = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(turned)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, inner]) => [key, turned(inner)]),
  )
}

describe('a digest of a value', () => {
  it('is the SHA-256 of its canonical JSON', () => {
    const bytes = '{"a":[true,null],"b":1}'
    expect(digestOf({ b: 1, a: [true, null] })).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
    expect(digestOf({})).toBe('sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a')
  })

  it('does not depend on the order of keys, only on the value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(digestOf(turned(value))).toBe(digestOf(value))
      }),
    )
  })
})

const document: DecisionDocument = {
  order: { id: 'order', tenantId: 't', type: 'test.echo', typeVersion: 1, revision: 1, priority: 5, payload: { a: 1 }, meta: { for: 'a' } },
  items: [
    { id: 'i0', ordinal: 0, state: 'submitted', input: { n: 0 }, result: { ok: true }, evidence: null, notes: null },
    { id: 'i1', ordinal: 1, state: 'submitted', input: { n: 1 }, result: { ok: true }, evidence: [{ url: 'x' }], notes: 'note' },
  ],
}
const [first, second] = document.items as [DecisionDocument['items'][number], DecisionDocument['items'][number]]

describe('the digest that an approval names', () => {
  it.each(Object.keys(document.order))('changes with %s of the order', (member) => {
    const changed = { ...document, order: { ...document.order, [member]: 'another' } }
    expect(documentDigest(changed)).not.toBe(documentDigest(document))
  })

  it.each(Object.keys(second))('changes with %s of an item', (member) => {
    const changed = { ...document, items: [first, { ...second, [member]: 7 }] }
    expect(documentDigest(changed)).not.toBe(documentDigest(document))
  })

  it.each<[string, DecisionDocument['items']]>([
    ['an item that was given up', [first, { ...second, state: 'dead_lettered' }]],
    ['an item less', [first]],
    [
      'two answers swapped',
      [
        { ...second, id: first.id, ordinal: 0 },
        { ...first, id: second.id, ordinal: 1 },
      ],
    ],
  ])('changes with %s', (_what, items) => expect(documentDigest({ ...document, items })).not.toBe(documentDigest(document)))

  it('covers a member that is added one day, without being told of it', () => {
    const later = { ...document, order: { ...document.order, due: 'tomorrow' } }
    expect(documentDigest(later)).not.toBe(documentDigest(document))
    const sooner = { ...later.order, due: 'today' }
    expect(documentDigest({ ...later, order: sooner })).not.toBe(documentDigest(later))
  })

  it('does not depend on the order in which items are read', () => {
    expect(documentDigest({ ...document, items: [second, first] })).toBe(documentDigest(document))
  })
})

it('no evidence and null evidence are the same submission', () => {
  expect(submissionDigest({ result: 1, evidence: undefined, notes: null })).toBe(
    submissionDigest({ result: 1, evidence: null, notes: null }),
  )
})
