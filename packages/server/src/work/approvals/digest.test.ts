import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf, type OrderContent, orderDigest, submissionDigest } from './digest.ts'

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

const content: OrderContent = {
  id: 'order',
  type: 'test.echo',
  typeVersion: 1,
  revision: 1,
  payload: { a: 1 },
  items: [
    { id: 'i0', ordinal: 0, state: 'submitted', input: { n: 0 }, submission: { result: { ok: true }, evidence: null, notes: null } },
    {
      id: 'i1',
      ordinal: 1,
      state: 'submitted',
      input: { n: 1 },
      submission: { result: { ok: true }, evidence: [{ url: 'x' }], notes: 'note' },
    },
  ],
}
const [first, second] = content.items as [OrderContent['items'][number], OrderContent['items'][number]]

describe('the digest that an approval names', () => {
  it.each<[string, OrderContent]>([
    ['the order', { ...content, id: 'another' }],
    ['the type', { ...content, type: 'test.other' }],
    ['the version of the type', { ...content, typeVersion: 2 }],
    ['the revision', { ...content, revision: 2 }],
    ['the payload', { ...content, payload: { a: 2 } }],
    ['an input', { ...content, items: [first, { ...second, input: { n: 2 } }] }],
    ['a result', { ...content, items: [{ ...first, submission: { ...first.submission!, result: { ok: false } } }, second] }],
    ['the evidence', { ...content, items: [first, { ...second, submission: { ...second.submission!, evidence: [{ url: 'y' }] } }] }],
    ['the notes', { ...content, items: [first, { ...second, submission: { ...second.submission!, notes: 'other' } }] }],
    [
      'which item an answer belongs to',
      {
        ...content,
        items: [
          { ...first, id: 'i1' },
          { ...second, id: 'i0' },
        ],
      },
    ],
    ['an item that was given up', { ...content, items: [first, { ...second, state: 'dead_lettered', submission: null }] }],
    ['an item less', { ...content, items: [first] }],
    [
      'two answers swapped',
      {
        ...content,
        items: [
          { ...first, submission: second.submission },
          { ...second, submission: first.submission },
        ],
      },
    ],
  ])('changes with %s', (_what, changed) => expect(orderDigest(changed)).not.toBe(orderDigest(content)))

  it('does not depend on the order in which items are read', () => {
    expect(orderDigest({ ...content, items: [second, first] })).toBe(orderDigest(content))
  })

  it('stays the same while an accepted item passes through to completed', () => {
    expect(orderDigest({ ...content, items: [{ ...first, state: 'completed' }, second] })).toBe(orderDigest(content))
  })
})

it('no evidence and null evidence are the same submission', () => {
  expect(submissionDigest({ result: 1, evidence: undefined, notes: null })).toBe(
    submissionDigest({ result: 1, evidence: null, notes: null }),
  )
})
