import { createHash } from 'node:crypto'
import { WorkError } from '@work-manager/contract'
import { describe, expect, test } from 'vitest'
import type { Principal } from '../kernel/principal.ts'
import { agentTypeOf, readProvenance } from './provenance.ts'

const agent: Principal = {
  tenantId: 't1',
  tenantSlug: 'acme',
  kind: 'agent',
  id: 'research-agent-1',
  name: 'agent:research-agent-1',
  keyId: 'k1',
  abilities: [],
  tier: 'default',
}
const service: Principal = { ...agent, kind: 'service', id: 'importer', name: 'service:importer' }
const plain = { anonymizeIp: false }

const headers = {
  'x-agent-id': 'claimed-7',
  'x-agent-name': 'Researcher',
  'x-agent-version': '1.2.3',
  'x-model-name': 'some-model',
  'x-runtime': 'node',
  'user-agent': 'agent/1',
  'accept-language': 'en',
}

describe('the agent behind a call', () => {
  test('is the one that the key is bound to; the claim is kept beside it', () => {
    const provenance = readProvenance(headers, agent, '192.0.2.7', plain)
    expect(provenance).toMatchObject({
      agentId: 'research-agent-1',
      claimedAgentId: 'claimed-7',
      agentName: 'Researcher',
      agentVersion: '1.2.3',
      agentType: 'research-agent',
      modelName: 'some-model',
      runtime: 'node',
      ip: '192.0.2.7',
      userAgent: 'agent/1',
    })
  })

  test('is named by the caller under a service key', () => {
    expect(readProvenance(headers, service, undefined, plain)).toMatchObject({ agentId: 'claimed-7', agentType: 'claimed', ip: null })
  })

  test('is the principal when a service key names nobody', () => {
    expect(readProvenance({}, service, undefined, plain)).toMatchObject({
      agentId: 'importer',
      claimedAgentId: null,
      agentType: null,
      agentName: null,
    })
  })

  test.each([
    ['research-agent-1', 'research-agent'],
    ['research-agent', 'research'],
    ['a-12-3', 'a-12'],
    ['solo', null],
    ['-1', null],
  ])('%s is of type %s', (id, type) => {
    expect(agentTypeOf(id)).toBe(type)
  })
})

describe('the fingerprint', () => {
  test('covers address, user agent, agent, language and principal', () => {
    const expected = createHash('sha256').update('192.0.2.7|agent/1|claimed-7|en|service:importer').digest('hex')
    expect(readProvenance(headers, service, '192.0.2.7', plain).fingerprint).toBe(expected)
  })

  test('leaves out what was not sent', () => {
    const expected = createHash('sha256').update('importer|service:importer').digest('hex')
    expect(readProvenance({}, service, undefined, plain).fingerprint).toBe(expected)
  })
})

describe('the id', () => {
  test('is equal for equal provenance and different for any difference', () => {
    const ids = [
      readProvenance(headers, agent, '192.0.2.7', plain),
      readProvenance(headers, service, '192.0.2.7', plain),
      readProvenance(headers, { ...agent, tenantId: 't2' }, '192.0.2.7', plain),
      readProvenance(headers, agent, '192.0.2.8', plain),
      readProvenance({ ...headers, 'x-runtime': 'deno' }, agent, '192.0.2.7', plain),
      readProvenance({ ...headers, 'accept-language': 'de' }, agent, '192.0.2.7', plain),
    ].map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(readProvenance({ ...headers }, { ...agent }, '192.0.2.7', plain).id).toBe(ids[0])
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })
})

describe('a header that cannot be kept', () => {
  test.each([
    ['X-Agent-ID', 'a'.repeat(256), /256 characters long/],
    ['X-Agent-Name', 'a\u0007b', /control or invisible/],
    ['X-Runtime', 'a\u202eb', /control or invisible/],
  ])('%s is refused by name', (name, value, reason) => {
    const read = () => readProvenance({ [name.toLowerCase()]: Buffer.from(value).toString('latin1') }, agent, undefined, plain)
    expect(read).toThrow(WorkError)
    expect(read).toThrow(name)
    expect(read).toThrow(reason)
  })

  test('a name in UTF-8 is read as what it is', () => {
    const sent = Buffer.from('Jürgen 🤖').toString('latin1')
    expect(readProvenance({ 'x-agent-name': sent }, agent, undefined, plain).agentName).toBe('Jürgen 🤖')
  })

  test('a long user agent is cut', () => {
    expect(readProvenance({ 'user-agent': 'u'.repeat(3000) }, agent, undefined, plain).userAgent).toHaveLength(255)
  })
})

test('the address is kept without its personal part when asked', () => {
  expect(readProvenance(headers, agent, '192.0.2.7', { anonymizeIp: true }).ip).toBe('192.0.2.0')
  expect(readProvenance(headers, agent, '192.0.2.7', plain).ip).toBe('192.0.2.7')
})
