import { WorkError } from '@work-manager/contract'
import { beforeEach, describe, expect, test } from 'vitest'
import { generateKey } from './api-keys.ts'
import { createAuthenticator, type KeyRow } from './authenticate.ts'

const key = generateKey('agent')
const startOfTest = Date.parse('2026-03-01T12:00:00Z')

let rows: Map<string, KeyRow>
let lookUps: number
let now: number
let gate: Promise<void>

function row(changes: Partial<KeyRow> = {}): KeyRow {
  return {
    tenantId: '01890a5d-ac96-774b-bcce-b302099a8057',
    tenantSlug: 'acme',
    id: '01890a5d-ac96-774b-bcce-b302099a8058',
    principalKind: 'agent',
    principalId: 'research-agent-1',
    abilities: ['work:*'],
    expires: null,
    revoked: null,
    tenantSuspended: false,
    tier: 'default',
    ...changes,
  }
}

/** The same look-up as the real one, over rows in memory. */
async function lookUp(hash: Buffer): Promise<KeyRow | null> {
  lookUps++
  await gate
  return rows.get(hash.toString('hex')) ?? null
}

const at = (ms: number) => ({ at: new Date(ms), monotonicMs: ms })
const start = (cacheSeconds?: number) => createAuthenticator({ lookUp, cacheSeconds, now: () => now })
const bearer = `Bearer ${key.plain}`

async function refusal(work: unknown): Promise<WorkError> {
  const error = await Promise.resolve(work).then(
    () => new Error('was not refused'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(WorkError)
  return error as WorkError
}

beforeEach(() => {
  rows = new Map([[key.hash.toString('hex'), row()]])
  lookUps = 0
  now = startOfTest
  gate = Promise.resolve()
})

describe('who is calling', () => {
  test('comes from the key', async () => {
    expect(await start().authenticate(bearer)).toEqual({
      tenantId: '01890a5d-ac96-774b-bcce-b302099a8057',
      tenantSlug: 'acme',
      kind: 'agent',
      id: 'research-agent-1',
      name: 'agent:research-agent-1',
      keyId: '01890a5d-ac96-774b-bcce-b302099a8058',
      abilities: ['work:*'],
      tier: 'default',
    })
  })

  test('is looked up once for calls that come close together, and once for calls at the same time', async () => {
    const { authenticate } = start()
    const { promise, resolve: open } = Promise.withResolvers<void>()
    gate = promise
    const together = Array.from({ length: 20 }, () => authenticate(bearer))
    open()
    await Promise.all(together.map((one) => Promise.resolve(one)))
    await authenticate(bearer)
    expect(lookUps).toBe(1)
  })

  test('is asked anew every time without a cache', async () => {
    const { authenticate } = start(0)
    await authenticate(bearer)
    await authenticate(bearer)
    expect(lookUps).toBe(2)
  })

  test('is asked anew after everything was forgotten, also when an answer was under way', async () => {
    const { authenticate, forgetAll } = start()
    const { promise, resolve: open } = Promise.withResolvers<void>()
    gate = promise
    const early = authenticate(bearer)
    forgetAll()
    rows.set(key.hash.toString('hex'), row({ revoked: at(startOfTest) }))
    open()
    await Promise.resolve(early).catch(() => {})
    expect((await refusal(authenticate(bearer))).code).toBe('key_revoked')
  })

  test('cannot be answered when the look-up fails, and that is not remembered', async () => {
    let fails = true
    const { authenticate } = createAuthenticator({
      lookUp: async (hash) => {
        if (fails) throw new WorkError('database_unavailable')
        return lookUp(hash)
      },
    })
    expect((await refusal(authenticate(bearer))).code).toBe('database_unavailable')
    fails = false
    expect((await authenticate(bearer)).tenantSlug).toBe('acme')
  })
})

describe('a key that does not work any more', () => {
  test('expires while it is cached', async () => {
    rows.set(key.hash.toString('hex'), row({ expires: at(startOfTest + 1000) }))
    const { authenticate } = start()
    await authenticate(bearer)
    now += 1000
    const error = await refusal(authenticate(bearer))
    expect(error.code).toBe('key_expired')
    expect(error.message).toContain('2026-03-01T12:00:01.000Z')
    expect(lookUps).toBe(1)
  })

  test('keeps working until the revocation that was announced', async () => {
    rows.set(key.hash.toString('hex'), row({ revoked: at(startOfTest + 1000) }))
    const { authenticate } = start()
    await authenticate(bearer)
    now += 1000
    expect((await refusal(authenticate(bearer))).code).toBe('key_revoked')
  })

  test('belongs to a suspended tenant', async () => {
    rows.set(key.hash.toString('hex'), row({ tenantSuspended: true }))
    expect((await refusal(start().authenticate(bearer))).message).toContain('suspended')
  })
})

describe('a key that is not known', () => {
  test('is refused, and guessing it again costs no look-up', async () => {
    const { authenticate } = start()
    const stranger = `Bearer ${generateKey('agent').plain}`
    expect((await refusal(authenticate(stranger))).code).toBe('key_unknown')
    expect((await refusal(authenticate(stranger))).code).toBe('key_unknown')
    expect(lookUps).toBe(1)
  })
})

describe('an Authorization header that cannot be read', () => {
  test.each([[undefined], ['']])('%j: credentials are asked for', async (header) => {
    expect((await refusal(start().authenticate(header))).code).toBe('auth_required')
  })

  test.each([
    [key.plain, /Bearer is missing/],
    [`"${bearer}"`, /does not start with the word Bearer/],
    ['Bearer', /no key follows/],
    ['Bearer  ', /no key follows/],
    [`Basic ${Buffer.from('a:b').toString('base64')}`, /scheme is Basic/],
    [`Bearer "${key.plain}"`, /quotes/],
    ['Bearer <key>', /placeholder/],
    ['Bearer $WORK_MANAGER_KEY', /placeholder/],
    ['Bearer YOUR_API_KEY', /placeholder/],
    [`Bearer ${key.plain.slice(0, 20)} ${key.plain.slice(20)}`, /white space/],
    [`Bearer ${key.plain.slice(0, -1)}`, /cut off/],
    [`Bearer ${key.plain}x`, /something was added/],
    ['Bearer sk-live-1234567890', /start with wm_/],
  ])('says what is wrong, case %#', async (header, reason) => {
    const error = await refusal(start().authenticate(header))
    expect(error.code).toBe('auth_malformed')
    expect(error.message).toMatch(reason)
    expect(error.message).not.toContain(key.plain.slice(5, 20))
    expect(error.message).not.toContain('1234567890')
    expect(lookUps).toBe(0)
  })

  test('accepts the scheme in any case', async () => {
    expect((await start().authenticate(`bearer ${key.plain}`)).id).toBe('research-agent-1')
  })
})

describe('an address that guesses', () => {
  const blocked = new WorkError('rate_limited')
  /** Three failures, then refusals. */
  const strangersOf = (address: string) => {
    let left = 3
    return {
      countFailure(from: string | undefined) {
        expect(from).toBe(address)
        if (left === 0) throw blocked
        left--
      },
    }
  }

  test('is refused instead of heard', async () => {
    const { authenticate } = createAuthenticator({ lookUp: async () => null, strangers: strangersOf('192.0.2.1') })
    const codes: string[] = []
    for (let i = 0; i < 6; i++) codes.push((await refusal(authenticate(`Bearer ${generateKey('agent').plain}`, '192.0.2.1'))).code)
    expect(codes).toEqual(['key_unknown', 'key_unknown', 'key_unknown', 'rate_limited', 'rate_limited', 'rate_limited'])
  })

  test('locks out no good key behind it, not even one that this process has never seen', async () => {
    const known = generateKey('agent')
    const { authenticate } = createAuthenticator({
      lookUp: async (hash) => (hash.equals(known.hash) ? row() : null),
      strangers: strangersOf('192.0.2.1'),
    })
    for (let i = 0; i < 5; i++) await refusal(authenticate(`Bearer ${generateKey('agent').plain}`, '192.0.2.1'))
    await expect(authenticate(`Bearer ${known.plain}`, '192.0.2.1')).resolves.toMatchObject({ id: 'research-agent-1' })
  })

  test('costs one look-up for the same guess, however often it is sent, and none for what is no key', async () => {
    let asked = 0
    const { authenticate } = createAuthenticator({
      async lookUp() {
        asked++
        return null
      },
      strangers: strangersOf('192.0.2.1'),
    })
    const guess = `Bearer ${generateKey('agent').plain}`
    for (let i = 0; i < 50; i++) await refusal(authenticate(guess, '192.0.2.1'))
    for (let i = 0; i < 50; i++) await refusal(authenticate(`Bearer wm_${i}`, '192.0.2.1'))
    expect(asked).toBe(1)
  })

  test('is charged nothing for good keys', async () => {
    const known = generateKey('agent')
    const { authenticate } = createAuthenticator({ lookUp: async () => row(), cacheSeconds: 0, strangers: strangersOf('192.0.2.1') })
    for (let i = 0; i < 10; i++) await authenticate(`Bearer ${known.plain}`, '192.0.2.1')
  })

  test('is not charged for a database that is away', async () => {
    const { authenticate } = createAuthenticator({
      lookUp: async () => {
        throw new WorkError('database_unavailable')
      },
      strangers: strangersOf('192.0.2.1'),
    })
    for (let i = 0; i < 10; i++) expect((await refusal(authenticate(bearer, '192.0.2.1'))).code).toBe('database_unavailable')
  })
})
