import { describe, expect, it } from 'vitest'
import { createRedactor } from './redactor.ts'

const key = `wm_a_k3x9q2mz_${'Ab1-_'.repeat(8)}xyz`
const password = 'p@ss/w0rd "quoted" ü'
const url = `postgres://app:${encodeURIComponent(password)}@db.internal:5432/work`

function clean(line: object, learn: readonly string[] = [], fields: readonly string[] = []): string {
  const redactor = createRedactor()
  for (const secret of learn) redactor.learn(secret)
  redactor.learnFields(fields)
  return redactor.line(`${JSON.stringify(line)}\n`)
}

describe('credentials by what they look like', () => {
  it.each([
    ['an API key keeps its prefix', `key ${key} was refused`, 'key wm_a_k3x9q2mz_[redacted] was refused', key.slice(14)],
    ['a lease token keeps its generation', 'lost wl.3.17.Zm9vYmFyMTIz now', 'lost wl.3.17.[redacted] now', 'Zm9vYmFyMTIz'],
    ['a bearer', 'sent Authorization: Bearer abc.def-ghi', 'sent Authorization: Bearer [redacted]', 'abc.def-ghi'],
    ['basic credentials', 'Basic dXNlcjpwYXNz', 'Basic [redacted]', 'dXNlcjpwYXNz'],
    ['a connection string', 'no route to redis://user:hunter2@h:6379/0', 'no route to redis://user:[redacted]@h:6379/0', 'hunter2'],
    ['one without a user', 'redis://:hunter2@h', 'redis://:[redacted]@h', 'hunter2'],
    ['a parameter', 'GET /x?api_key=abcd1234&page=2', 'GET /x?api_key=[redacted]&page=2', 'abcd1234'],
    ['a keyword of a connection', "host=h password='se cret' port=1", 'host=h password=[redacted] port=1', 'se cret'],
    ['JSON inside a text', 'body {"client_secret":"abc\\"def","n":1}', 'body {"client_secret":"[redacted]","n":1}', 'abc'],
    ['an inspected object', "{ apiKey: 'abc123', n: 1 }", '{ apiKey: "[redacted]", n: 1 }', 'abc123'],
    ['a private key', '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- end', '[redacted] end', 'MIIE'],
  ])('%s', (_what, text, wanted, secret) => {
    const line = clean({ level: 50, msg: text, err: { stack: `Error: ${text}\n    at x`, cause: { message: text } } })
    expect(JSON.parse(line)).toEqual({ level: 50, msg: wanted, err: { stack: `Error: ${wanted}\n    at x`, cause: { message: wanted } } })
    expect(line).not.toContain(secret)
  })

  it('leaves ordinary sentences alone', () => {
    const msg = "Field 'lease_token' is missing: send lease_token as checkout returned it. 3 tokens: fine. http://h:8080/a@b?page=2"
    expect(JSON.parse(clean({ msg, token_count: 7, password: null }))).toEqual({ msg, token_count: 7, password: null })
  })
})

describe('members with telling names', () => {
  it('whatever they hold, however deep', () => {
    const line = clean({ req: { headers: { Authorization: 'x1', 'X-Api-Key': 'x2', accept: '*/*' } }, a: [{ leaseToken: { raw: 'x3' } }] })
    expect(JSON.parse(line)).toEqual({
      req: { headers: { Authorization: '[redacted]', 'X-Api-Key': '[redacted]', accept: '*/*' } },
      a: [{ leaseToken: '[redacted]' }],
    })
  })

  it('that an order type declares, as members and inside texts', () => {
    const line = clean(
      { ssn: 123456789, input: { card_number: '4111' }, msg: 'bad {"cardNumber":"4111","ssn":123}' },
      [],
      ['ssn', 'card_number'],
    )
    expect(line).not.toMatch(/123|4111/)
  })
})

describe('values of secret settings', () => {
  it.each([
    ['as it is', (v: string) => v],
    ['as JSON', (v: string) => JSON.stringify({ note: v })],
    ['in a URL', (v: string) => `https://x/?q=${encodeURIComponent(v)}`],
    ['as base64', (v: string) => Buffer.from(v).toString('base64')],
  ])('%s', (_how, form) => {
    const secret = 'Xq7"k\\9 z!&ü'
    const line = clean({ msg: `saw ${form(secret)} there` }, [secret])
    expect(line).toContain('[redacted]')
    expect(line).not.toContain('Xq7')
    expect(line).not.toContain(Buffer.from('Xq7"k\\').toString('base64').slice(0, 6))
  })

  it('the password of a connection string, alone and decoded', () => {
    const line = clean({ msg: `${url} | ${password} | ${encodeURIComponent(password)}` }, [url])
    expect(line).not.toContain('w0rd')
  })

  it('a value of a few letters does not take innocent words away', () => {
    expect(clean({ msg: 'a cat' }, ['a'])).toContain('a cat')
  })
})

it('a line that is no JSON is cleaned as a text', () => {
  expect(createRedactor().line('plain Bearer abcdef')).toBe('plain Bearer [redacted]')
})
