import { type ItemState, itemStates } from '@work-manager/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { holdsLease, type LeaseClaim, type LeaseSeen, leaseRefusal, tokenGeneration } from './decide.ts'

const random = 'A'.repeat(22)
const live = `wl.1.2.${random}`
const older = `wl.1.1.${random}`
const lease = (changes: Partial<LeaseSeen> = {}): LeaseSeen => ({
  state: 'in_progress',
  token: live,
  agentId: 'robin',
  principal: 'agent:robin',
  requiresToken: false,
  expiresAt: '2026-01-02T03:04:05.000006Z',
  decidedAt: '2026-01-02T03:04:05.000005Z',
  ...changes,
})
const ended = (state: ItemState) => lease({ state, token: null, agentId: null, principal: null, expiresAt: null })
const claim = (changes: Partial<LeaseClaim> = {}): LeaseClaim => ({ token: live, agentId: 'robin', principal: 'agent:robin', ...changes })

describe('the lease rule', () => {
  it('the latest token, the right holder, in time: held', () => {
    expect(holdsLease(lease(), claim())).toBe(true)
    expect(holdsLease(lease({ state: 'leased' }), claim())).toBe(true)
  })

  it('a lease is live up to and including the microsecond in which it expires', () => {
    expect(holdsLease(lease({ decidedAt: '2026-01-02T03:04:05.000006Z' }), claim())).toBe(true)
    expect(holdsLease(lease({ decidedAt: '2026-01-02T03:04:05.000007Z' }), claim())).toBe(false)
  })

  it('without a token only where none is required, and only for the holder', () => {
    expect(holdsLease(lease(), claim({ token: null }))).toBe(true)
    expect(holdsLease(lease({ requiresToken: true }), claim({ token: null }))).toBe(false)
    expect(holdsLease(lease(), claim({ token: null, agentId: 'sam' }))).toBe(false)
    expect(holdsLease(lease(), claim({ token: null, principal: 'service:crm' }))).toBe(false)
  })

  it('the token alone is not enough: a leaked one is useless under another credential', () => {
    expect(holdsLease(lease(), claim({ agentId: 'sam' }))).toBe(false)
    expect(holdsLease(lease(), claim({ principal: 'agent:sam' }))).toBe(false)
  })

  it.each(itemStates.filter((state) => state !== 'leased' && state !== 'in_progress'))('nobody holds an item that is %s', (state) => {
    for (const token of [live, older, null]) expect(holdsLease(ended(state), claim({ token }))).toBe(false)
  })
})

describe('what a refusal tells', () => {
  it.each([
    ['an older token of the same holder', lease(), claim({ token: older }), 'lease_lost', 'superseded'],
    [
      'an older token of another holder',
      lease(),
      claim({ token: older, agentId: 'sam', principal: 'agent:sam' }),
      'lease_lost',
      'superseded',
    ],
    ['something that is no token', lease(), claim({ token: 'abc' }), 'lease_lost', 'unknown_token'],
    ['the right token, too late', lease({ decidedAt: '2026-01-02T03:04:06.000000Z' }), claim(), 'lease_expired', 'expired'],
    ['no token, too late', lease({ decidedAt: '2026-01-02T03:04:06.000000Z' }), claim({ token: null }), 'lease_expired', 'expired'],
    ['another agent without a token', lease(), claim({ token: null, agentId: 'sam' }), 'lease_error', undefined],
    ['another credential with the live token', lease(), claim({ principal: 'agent:sam' }), 'lease_error', undefined],
    ['no token where one is required', lease({ requiresToken: true }), claim({ token: null }), 'lease_token_required', undefined],
    ['a token after the lease ended', ended('queued'), claim(), 'lease_lost', 'expired'],
    ['a token of a failed attempt', ended('failed'), claim(), 'lease_lost', 'expired'],
    ['no token and no lease', ended('queued'), claim({ token: null }), 'lease_error', undefined],
    ['a token of a cancelled order', ended('cancelled'), claim(), 'lease_lost', 'cancelled'],
    ['no token, cancelled order', ended('cancelled'), claim({ token: null }), 'lease_lost', 'cancelled'],
    ['handed in already', ended('submitted'), claim(), 'already_submitted', undefined],
    ['applied already', ended('completed'), claim(), 'already_submitted', undefined],
  ])('%s', (_what, seen, asked, code, reason) => {
    expect(holdsLease(seen, asked)).toBe(false)
    const refusal = leaseRefusal(seen, asked)
    expect(refusal.code).toBe(code)
    expect(refusal.details.extra?.['reason']).toBe(reason)
  })

  it('in every case there is one, and it never says who holds the item', () => {
    const instant = fc.constantFrom('2026-01-02T03:04:05.000005Z', '2026-01-02T03:04:05.000006Z', '2026-01-02T03:04:05.000007Z')
    const any = fc.record({
      state: fc.constantFrom(...itemStates),
      requiresToken: fc.boolean(),
      decidedAt: instant,
      token: fc.constantFrom(live, older, null, 'abc', ''),
      agentId: fc.constantFrom('robin', 'sam'),
      principal: fc.constantFrom('agent:robin', 'agent:sam'),
    })
    fc.assert(
      fc.property(any, ({ state, requiresToken, decidedAt, ...asked }) => {
        const seen =
          state === 'leased' || state === 'in_progress'
            ? lease({ state, requiresToken, decidedAt })
            : { ...ended(state), requiresToken, decidedAt }
        if (holdsLease(seen, asked)) return
        const refusal = leaseRefusal(seen, asked)
        expect(['lease_error', 'lease_lost', 'lease_expired', 'lease_token_required', 'already_submitted']).toContain(refusal.code)
        const said = JSON.stringify(refusal.details)
        expect(said).not.toContain('robin')
        expect(said).not.toContain(live)
      }),
      { numRuns: 500 },
    )
  })
})

it('the generation is read from a token, and from nothing else', () => {
  expect(tokenGeneration(live)).toBe(2)
  for (const text of ['', 'abc', 'wl.1.2', `wl.1.2.${random}x`, `wl.1.-2.${random}`, ` ${live}`, `${live}\n`])
    expect(tokenGeneration(text), text).toBeNull()
})
