import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerTokens, fitted, tokensOf } from './fit-answer.ts'
import { pieceOf, project } from './shown-answer.ts'

const view = { full: false, at: undefined, offset: 0 }

describe('an answer that is too large', () => {
  it('keeps what is small, shortens what is long, and says where', () => {
    const value = {
      item: { id: 'i-1', lease_token: 'wl.1.1.abc', state: 'leased', input: { text: 'word '.repeat(100_000), page: 7 } },
      after: 'kept',
    }
    const { value: shown, shortened } = fitted(value, 5_000) as { value: any; shortened: any }
    expect(shown.item).toMatchObject({ id: 'i-1', lease_token: 'wl.1.1.abc', state: 'leased', input: { page: 7 } })
    expect(shown.after).toBe('kept')
    expect(shown.item.input.text).toMatch(/^word word .*…$/)
    expect(shortened).toEqual([{ at: '/item/input/text', unit: 'characters', total: 500_000, shown: shown.item.input.text.length - 1 }])
    expect(tokensOf(shown)).toBeLessThanOrEqual(5_000)
    expect(shown.item.input.text.length).toBeGreaterThan(5_000)
  })

  it('that fits is the very same', () => {
    const value = { a: [1, { b: null }], c: '…' }
    expect(fitted(value, 1_000)).toEqual({ value, shortened: [] })
    expect(fitted(value, 1_000).value).toBe(value)
  })

  it('never breaks a character in two', () => {
    for (let length = 1; length < 60; length++) {
      const { value } = fitted({ text: '😀'.repeat(3_000) + 'x'.repeat(length) }, 1_500 + length) as { value: { text: string } }
      expect(value.text.isWellFormed()).toBe(true)
    }
  })

  it('of any shape has room afterwards', () => {
    const long = fc.oneof(
      fc.string({ maxLength: 3_000, unit: 'grapheme' }),
      fc.string({ maxLength: 3_000, unit: 'binary' }),
      fc.double(),
      fc.boolean(),
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        long,
        fc.array(tie('value'), { maxLength: 60 }),
        fc.dictionary(fc.string({ maxLength: 200 }), tie('value'), { maxKeys: 60 }),
      ),
    }))
    fc.assert(
      fc.property(value, fc.integer({ min: 2_000, max: 12_000 }), (given, tokens) => {
        const found = fitted({ given }, tokens)
        expect(tokensOf({ ...(found.value as object), shortened: found.shortened })).toBeLessThanOrEqual(tokens + 40)
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    ['one text', { text: 'a'.repeat(2_000_000) }],
    ['many rows', { data: Array.from({ length: 20_000 }, (_, n) => ({ id: n, text: 'x'.repeat(90) })) }],
    ['many members', Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`member ${n}`, n]))],
    ['long names', { a: Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`${n}${'k'.repeat(5_000)}`, 'v'])) }],
    ['depth', JSON.parse(`${'{"a":['.repeat(60)}"${'z'.repeat(100_000)}"${']}'.repeat(60)}`)],
    ['one list in another', [[[['w '.repeat(500_000), 'w'], 'w'], 'w'], 'w']],
  ])('of %s fits within 25,000 tokens, text and structure together', (_, value) => {
    const { value: shown } = fitted(value, answerTokens)
    const text = JSON.stringify(shown)
    expect(tokensOf(shown) * 2).toBeLessThanOrEqual(25_000)
    // What tokenizers make of plain text: four characters and more to a token; of random letters and digits hardly two.
    expect(text.length).toBeLessThan(50_000)
  })
})

describe('one member, piece by piece', () => {
  it('of a text gives all of it, in pieces that fit', () => {
    const text = Array.from({ length: 40_000 }, (_, n) => `wörd ${n} 😀`).join(' ')
    let read = ''
    let pieces = 0
    for (let offset: number | null = 0; offset !== null; pieces++) {
      const piece = pieceOf({ item: { input: { 'a/b': text } } }, { ...view, at: '/item/input/a~1b', offset }) as any
      read += piece.text
      offset = piece.next_offset
      expect(tokensOf(piece)).toBeLessThanOrEqual(answerTokens + 100)
    }
    expect(read).toBe(text)
    expect(pieces).toBeGreaterThan(5)
  })

  it('of a list gives its entries, and of an object what fits, with places that can be asked for again', () => {
    const list = Array.from({ length: 2_000 }, (_, n) => ({ n, text: 'w '.repeat(200) }))
    const read: number[] = []
    for (let offset: number | null = 0; offset !== null;) {
      const piece = pieceOf({ list }, { ...view, at: '/list', offset }) as any
      read.push(...piece.entries.map((one: { n: number }) => one.n))
      offset = piece.next_offset
    }
    expect(read).toEqual(list.map(({ n }) => n))
    const deep = pieceOf({ a: { b: { c: 'x '.repeat(100_000), d: 1 } } }, { ...view, at: '/a' }) as any
    expect(deep.shortened[0].at).toBe('/a/b/c')
    expect(pieceOf({ list: [1, { big: 'x '.repeat(100_000) }] }, { ...view, at: '/list', offset: 1 })).toMatchObject({
      shortened: [{ at: '/list/1/big' }],
    })
  })

  it('that is not there is named with what is', () => {
    expect(() => pieceOf({ item: { input: 1 } }, { ...view, at: '/item/inputt' })).toThrow(/did you mean 'input'/)
    expect(() => pieceOf({ item: { input: 1 } }, { ...view, at: '/item/constructor' })).toThrow(/there are: input/)
  })
})

it('what is shown has ages, and nothing that is null', () => {
  const value = { data: [{ id: 1, created_at: '2026-01-01T00:00:00Z', state: null, payload: { a: 1 } }], next: null, kept: { b: null } }
  expect(
    project(value, { data: { id: true, state: true, age_seconds: true }, next: true, kept: true }, Date.parse('2026-01-01T00:01:00Z')),
  ).toEqual({
    data: [{ id: 1, age_seconds: 60 }],
    kept: { b: null },
  })
})
