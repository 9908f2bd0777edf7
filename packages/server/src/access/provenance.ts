/**
 * Headers → provenance: what the credential proves (principal, and the agent id of an agent's key) beside what the caller says of
 * itself (`X-Agent-*`, `X-Model-Name`, `X-Runtime`). Bodies are never captured. The combinations repeat for every call of an agent,
 * so they are cached and their id is derived from their content: equal provenance is one row.
 */
import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { WorkError } from '@work-manager/contract'
import { LRUCache } from 'lru-cache'
import { anonymizedIp, plainIp } from '../addresses/ip-address.ts'
import type { Principal, Provenance } from '../kernel/principal.ts'

export interface ProvenanceOptions {
  readonly anonymizeIp: boolean
}

const longestValue = 255
const longestCachedKey = 2_048
/** Control characters, direction marks and the like: what a reader of the record would not see. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const cache = new LRUCache<string, Provenance>({ max: 5_000 })

/**
 * Where a call comes from.
 * Refuses with: bad_request (a header that is too long or holds control characters).
 */
export function readProvenance(
  headers: IncomingHttpHeaders,
  principal: Principal,
  ip: string | undefined,
  options: ProvenanceOptions,
): Provenance {
  // No header value can hold U+0000, so the joined key is unambiguous.
  const cacheKey = [
    principal.tenantId,
    principal.name,
    options.anonymizeIp ? 'a' : 'p',
    ip,
    headers['user-agent'],
    headers['x-agent-id'],
    headers['x-agent-name'],
    headers['x-agent-version'],
    headers['x-model-name'],
    headers['x-runtime'],
    headers['accept-language'],
  ].join('\u0000')
  const cached = cache.get(cacheKey)
  if (cached) return cached
  const provenance = build(headers, principal, ip, options)
  // Long user agents are not worth keeping, and could be sent to fill the memory.
  if (cacheKey.length <= longestCachedKey) cache.set(cacheKey, provenance)
  return provenance
}

function build(headers: IncomingHttpHeaders, principal: Principal, rawIp: string | undefined, options: ProvenanceOptions): Provenance {
  const claimedAgentId = readClaim(headers, 'X-Agent-ID')
  const agentId = principal.kind === 'agent' ? principal.id : (claimedAgentId ?? principal.id)
  const namesAnAgent = principal.kind === 'agent' || claimedAgentId !== null
  const ip = rawIp === undefined ? null : options.anonymizeIp ? anonymizedIp(rawIp) : plainIp(rawIp)
  // Sent by libraries, not chosen by the agent: cut to fit and never a reason to refuse.
  const userAgent = headers['user-agent'] ? shown(headers['user-agent']).slice(0, longestValue) : null
  const fingerprint = hash(
    'sha256',
    [ip, userAgent, agentId, headers['accept-language'], principal.name].filter((part) => part).join('|'),
    'hex',
  )
  const known = {
    agentId,
    claimedAgentId,
    agentName: readClaim(headers, 'X-Agent-Name'),
    agentVersion: readClaim(headers, 'X-Agent-Version'),
    agentType: namesAnAgent ? agentTypeOf(agentId) : null,
    modelName: readClaim(headers, 'X-Model-Name'),
    runtime: readClaim(headers, 'X-Runtime'),
    ip,
    userAgent,
    fingerprint,
  }
  return Object.freeze({ id: contentId([principal.tenantId, principal.name, ...Object.values(known)]), ...known })
}

/** One self-description header, or null. Names may be UTF-8, which Node hands over as Latin-1. */
function readClaim(headers: IncomingHttpHeaders, name: string): string | null {
  const raw = headers[name.toLowerCase()]
  if (raw === undefined || raw === '') return null
  const value = decoded(String(raw))
  if (value.length > longestValue) {
    throw new WorkError('bad_request', {
      detail: `${name} is ${value.length} characters long; at most ${longestValue} are accepted.`,
      fix: `Shorten ${name}.`,
      extra: { header: name },
    })
  }
  if (invisible.test(value)) {
    throw new WorkError('bad_request', {
      detail: `${name} holds a control or invisible character.`,
      fix: `Send printable characters in ${name}.`,
      extra: { header: name },
    })
  }
  return value
}

function decoded(value: string): string {
  // oxlint-disable-next-line no-control-regex
  if (/^[\u0000-\u007f]*$/.test(value)) return value
  const bytes = Buffer.from(value, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : value
}

const shown = (value: string): string => decoded(value).replaceAll(new RegExp(invisible, 'gu'), '\ufffd')

/** `research-agent-1` → `research-agent`; without a number the part before the first dash; without a dash nothing. */
export function agentTypeOf(agentId: string): string | null {
  const numbered = /^(.+)-\d+$/.exec(agentId)
  if (numbered) return numbered[1]!
  const dash = agentId.indexOf('-')
  return dash > 0 ? agentId.slice(0, dash) : null
}

/** A UUID (version 8: built from a hash) that is the same for the same parts. */
function contentId(parts: readonly (string | null)[]): string {
  const bytes = hash('sha256', JSON.stringify(parts), 'buffer').subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
