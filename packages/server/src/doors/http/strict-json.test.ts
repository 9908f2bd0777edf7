import { WorkError } from '@work-manager/contract'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJsonObject, parseLargeJsonObject } from './strict-json.ts'

function refusal(body: string | Buffer): WorkError {
  try {
    parseJsonObject(Buffer.from(body))
  } catch (error) {
    if (error instanceof WorkError) return error
    throw error
  }
  throw new Error('was not refused')
}

const extra = (body: string | Buffer) => refusal(body).details.extra

describe('what is accepted', () => {
  test.each([
    '{}',
    ' \n{ "a" : [ ] , "b" : { } }\t\r\n',
    '{"a":[true,false,null,"x",-0,0.5,1e3,-12.5E-7,123456789012345]}',
    '{"":{"":""}}',
    '{"a":[0.1,1.10,100.0e-2,-0.0,0e5,1e22,5e-324,19.99,2.2250738585072014e-308,0.000000000000000000001,123456789012345.6]}',
    '{"a":"\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u00e9 \\ud83e\\udd16 é 🤖"}',
    '{"a":9007199254740991,"b":-9007199254740991,"c":1.7976931348623157e308}',
    '{"constructor":1,"prototype":{"constructor":2},"toString":3,"hasOwnProperty":4}',
    '{"a":{"k":1},"b":{"k":1}}',
    '{"constructor":["prototype",{"prototype":1}]}',
  ])('%s', (text) => {
    expect(parseJsonObject(Buffer.from(text))).toEqual(JSON.parse(text))
  })

  test('64 levels', () => {
    const text = `${'{"a":'.repeat(63)}[]${'}'.repeat(63)}`
    expect(parseJsonObject(Buffer.from(text))).toEqual(JSON.parse(text))
  })

  test('many keys in one object', () => {
    const value = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`k${index}`, index]))
    expect(parseJsonObject(Buffer.from(JSON.stringify(value)))).toEqual(value)
  })

  test('any JSON value, read as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' }), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify({ value }, null, indent)
        try {
          expect(parseJsonObject(Buffer.from(text))).toEqual(JSON.parse(text))
        } catch (error) {
          // What generators find that is JSON and still refused on purpose.
          expect(error).toBeInstanceOf(WorkError)
          const { code } = error as WorkError
          if (code === 'forbidden_character') expect(text).toMatch(/\\u0000|\\ud[89a-f]/)
          else if (code === 'forbidden_key') expect(text).toContain('"__proto__"')
          else {
            expect(code).toBe('number_precision')
            expect(text).toMatch(/\d{16}/)
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  test('exactly the texts that JSON.parse accepts, apart from what is refused on purpose', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '"b"',
      '\\',
      '0',
      '1',
      '-',
      '.',
      'e',
      '+',
      'true',
      'null',
      ' ',
      '\n',
      '\\u',
      '0041',
      '/',
      "'",
      '\u00e9',
      '\u0001',
      '\u00a0',
      '"c":1',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = `{"a":${pieces.join('')}}`
        let expected: unknown
        try {
          expected = JSON.parse(text)
        } catch {
          expect(['json_syntax', 'duplicate_key', 'number_precision']).toContain(refusal(text).code)
          return
        }
        try {
          expect(parseJsonObject(Buffer.from(text))).toEqual(expected)
        } catch (error) {
          expect((error as WorkError).code).toBe('duplicate_key')
        }
      }),
      { numRuns: 5000 },
    )
  })
})

describe('syntax', () => {
  test.each([
    ['{"type":', 1, 9, /expected a value, found the end of the body/],
    ['{\n  "a": 1,\n}', 3, 1, /trailing comma/],
    ['{"a":[1,]}', 1, 9, /trailing comma/],
    ['{"a":1 // no\n}', 1, 8, /comments/],
    ['{/* no */}', 1, 2, /comments/],
    ["{'a':1}", 1, 2, /double quotes/],
    ['{a:1}', 1, 2, /double quotes/],
    ['{"a":NaN}', 1, 6, /NaN or Infinity/],
    ['{"a":-Infinity}', 1, 7, /a digit/],
    ['{"a":True}', 1, 6, /true, false and null/],
    ['{"a":01}', 1, 6, /leading zeros/],
    ['{"a":1.}', 1, 8, /a digit/],
    ['{"a":+1}', 1, 6, /a value/],
    ['{"a" 1}', 1, 6, /a colon/],
    ['{"a":1 "b":2}', 1, 8, /a comma or }/],
    ['{"a":[1 2]}', 1, 9, /a comma or ]/],
    ['{"a":"x', 1, 8, /closing double quote/],
    ['{"a":"x\ny"}', 1, 8, /control character/],
    ['{"a":"\\x41"}', 1, 7, /one of the escapes/],
    ['{"a":"\\u12"}', 1, 7, /hexadecimal/],
    ['{"é🤖":1,}', 1, 9, /trailing comma/],
    ['{} {}', 1, 4, /the end of the body/],
    ['{"a":1}}', 1, 8, /the end of the body/],
    ['   ', 1, 4, /a value/],
  ])('%j is refused at its place', (text, line, column, reason) => {
    const error = refusal(text)
    expect(error.code).toBe('json_syntax')
    expect(error.message).toMatch(reason)
    expect(error.details.extra).toMatchObject({ line, column })
    expect(error.message).toContain(`line ${line}, column ${column}`)
  })

  test.each([
    ['[]', 'an array'],
    ['"x"', 'a string'],
    ['7', 'a number'],
    ['true', 'a boolean'],
    ['null', 'null'],
  ])('%s is JSON, but no object', (text, kind) => {
    expect(refusal(text).code).toBe('json_root')
    expect(refusal(text).message).toContain(kind)
  })
})

describe('what would not mean the same to everyone', () => {
  test('the same key twice', () => {
    expect(refusal('{"x":[{"a":1,"b":2,"a":3}]}').code).toBe('duplicate_key')
    expect(extra('{"x":[{"a":1,"b":2,"a":3}]}')).toEqual({ pointer: '/x/0/a', positions: [8, 20] })
    expect(refusal('{"a":1,"\\u0061":2}').code).toBe('duplicate_key')
    const many = Array.from({ length: 40 }, (_, index) => `"k${index}":1`).join(',')
    expect(extra(`{${many},"k39":2}`)).toMatchObject({ pointer: '/k39' })
    expect(refusal(`{${many},"k0":2}`).code).toBe('duplicate_key')
  })

  test.each([
    ['{"__proto__":{"polluted":1}}', '/__proto__'],
    ['{"a":[{"\\u005f_proto__":1}]}', '/a/0/__proto__'],
    ['{"a":{"constructor":{"prototype":{"polluted":1}}}}', '/a/constructor/prototype'],
  ])('%s', (text, pointer) => {
    expect(refusal(text).code).toBe('forbidden_key')
    expect(extra(text)).toEqual({ pointer })
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test.each([
    ['{"a":"x\\u0000"}', '/a', 'U+0000'],
    ['{"a":["\\ud83e"]}', '/a/0', 'U+D83E'],
    ['{"a":"\\udd16"}', '/a', 'U+DD16'],
    ['{"a":"\\ud83e\\u0041"}', '/a', 'U+D83E'],
    ['{"a":"\\ud83ex"}', '/a', 'U+D83E'],
  ])('%s', (text, pointer, name) => {
    expect(refusal(text).code).toBe('forbidden_character')
    expect(refusal(text).message).toContain(name)
    expect(extra(text)).toMatchObject({ pointer })
  })

  test.each([
    '9007199254740992',
    '-9007199254740993',
    '123456789012345678901234567890',
    '1e400',
    '-1e400',
    '9007199254740993.5',
    '1e-400',
    '9007199254740993e0',
    '3.544790567247868102e18',
    '1234567890.123456789',
    '0.1000000000000000055511151231257827',
    '1.7976931348623157e308'.replace('57e', '5701e'),
    '-12345678901234567.25e-3',
    `1${'0'.repeat(400)}`,
  ])('the number %s', (number) => {
    expect(refusal(`{"a/b":{"c~":${number}}}`).code).toBe('number_precision')
    expect(extra(`{"a/b":{"c~":${number}}}`)).toEqual({ pointer: '/a~1b/c~0' })
    expect(refusal(`{"a":${number}}`).message.length).toBeLessThan(200)
  })

  test('65 levels, and a megabyte of them', () => {
    expect(refusal(`{"a":${'['.repeat(64)}${']'.repeat(64)}}`).code).toBe('json_too_deep')
    expect(refusal('['.repeat(1024 * 1024)).code).toBe('json_too_deep')
    expect(refusal('{"a":'.repeat(200_000)).code).toBe('json_too_deep')
    expect(refusal('{"a":'.repeat(200_000)).message).toContain('/a/a/a')
  })
})

describe('bytes', () => {
  test.each([
    ['a byte order mark', Buffer.from('\ufeff{}'), 0],
    ['UTF-16 with a mark', Buffer.from('\ufeff{}', 'utf16le'), 0],
    ['UTF-16 without a mark', Buffer.from('{}', 'utf16le'), 0],
    ['a stray byte', Buffer.concat([Buffer.from('{"a":"é'), Buffer.from([0xff]), Buffer.from('"}')]), 8],
    [
      'a stray byte after a real replacement character',
      Buffer.concat([Buffer.from('{"\ufffd":"'), Buffer.from([0xc3]), Buffer.from('"}')]),
      8,
    ],
    ['an overlong slash', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]), 6],
    ['an encoded surrogate', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]), 6],
    ['a character that is cut off', Buffer.from('{"a":"🤖').subarray(0, -1), 6],
  ])('%s', (_name, bytes, offset) => {
    expect(refusal(bytes).code).toBe('encoding')
    expect(refusal(bytes).message).toContain('offset')
    expect(extra(bytes)).toEqual({ byte_offset: offset })
  })

  test('any bytes are either read or refused by name', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          parseJsonObject(Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(WorkError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('large bodies', () => {
  const text = `{"a":[${'[1],'.repeat(30_000)}1],"b":{${Array.from({ length: 5_000 }, (_, i) => `"k${i}":[]`).join(',')}}}`

  test('are read in turns with everybody else, and mean the same', async () => {
    let turns = 0
    let isOver = false
    const tick = (): void => {
      turns++
      if (!isOver) setImmediate(tick)
    }
    setImmediate(tick)
    const value = await parseLargeJsonObject(Buffer.from(text))
    isOver = true
    expect(value).toEqual(JSON.parse(text))
    // Every 5,000 of 65,000 values somebody else goes.
    expect(turns).toBeGreaterThanOrEqual(13)
  })

  test.each(['[1]', '{"a":1', '{"a":1,"a":2}', '{"a":1}}', '{"a":1e400}', ''])('%s is refused in the same words', async (body) => {
    await expect(parseLargeJsonObject(Buffer.from(body))).rejects.toThrow(refusal(body).message)
  })
})
