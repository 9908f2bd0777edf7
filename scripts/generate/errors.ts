/** docs/errors.md: every refusal, from packages/contract/src/errors.ts. `urn:work-manager:error:<code>` is the anchor `#<code>`. */
import { errorCatalogue, type ErrorCode } from '@work-manager/contract'

/** Code → section. The compiler asks for a place for every new code. */
const places: Readonly<Record<ErrorCode, string>> = {
  ...inSection('Reading the request', [
    'json_syntax',
    'json_root',
    'json_too_deep',
    'duplicate_key',
    'forbidden_key',
    'forbidden_character',
    'number_precision',
    'encoding',
    'unsupported_media_type',
    'body_too_large',
    'body_required',
    'no_such_route',
    'method_not_allowed',
    'bad_request',
  ]),
  ...inSection('Who you are and what you may do', [
    'auth_required',
    'auth_malformed',
    'key_unknown',
    'key_expired',
    'key_revoked',
    'scope_missing',
    'agents_cannot_decide',
    'host_refused',
    'origin_refused',
    'separation_of_duties',
    'forbidden_direct_mutation',
  ]),
  ...inSection('Finding things', ['not_found', 'id_malformed', 'order_type_not_found', 'invalid_filter', 'cursor_invalid']),
  ...inSection('Content', ['validation_failed', 'payload_invalid', 'verification_failed', 'empty_plan', 'plan_failed', 'already_planned']),
  ...inSection('Idempotency', ['idempotency_key_required', 'idempotency_key_malformed', 'idempotency_mismatch', 'idempotency_in_progress']),
  ...inSection('Leases', [
    'no_items_available',
    'lease_limit_reached',
    'paused',
    'lease_token_required',
    'lease_error',
    'lease_expired',
    'lease_lost',
    'already_submitted',
  ]),
  ...inSection('States, decisions and applying', [
    'illegal_state_transition',
    'not_ready_for_approval',
    'content_changed',
    'digest_required',
    'apply_failed',
  ]),
  ...inSection('Parts', ['parts_missing', 'parts_not_supported', 'too_many_parts', 'part_too_large']),
  ...inSection('The server itself', ['storage_low', 'database_unavailable', 'rate_limited', 'busy', 'draining', 'internal']),
}

function inSection<Code extends ErrorCode>(section: string, codes: readonly Code[]): Record<Code, string> {
  return Object.fromEntries(codes.map((code) => [code, section])) as Record<Code, string>
}

const retries = {
  never: 'no: change the request',
  after_refresh: 'after reading the state again',
  later: 'yes: the same request, later',
} as const
const cell = (text: string) =>
  text
    .replaceAll('|', String.raw`\|`)
    .replaceAll('<', '&lt;')
    .replaceAll('__', String.raw`\_\_`)

export function renderErrors(): string {
  const lines = [
    '# Errors',
    '',
    'Generated from `packages/contract/src/errors.ts`; edit that, then run `npm run generate`.',
    '',
    'Every refusal is one object, the same on every door: `application/problem+json` (RFC 9457). `code` is stable; `detail` says what is wrong in this',
    'case, `fix` what to do now, `errors` where. `type` is `urn:work-manager:error:` and the code; its page is this one, at `#` and the code (`rate_limited` has the type of the IETF draft, `…#quota-exceeded`).',
    'Those that pass later on their own carry `Retry-After`.',
  ]
  for (const section of new Set(Object.values(places))) {
    lines.push('', `## ${section}`, '', '| Code | Status | Repeat? | What happened | What to do |', '|---|---|---|---|---|')
    for (const [code, { status, retry, title, fix }] of Object.entries(errorCatalogue))
      if (places[code as ErrorCode] === section)
        lines.push(`| <a id="${code}"></a>\`${code}\` | ${status} | ${retries[retry]} | ${cell(title)} | ${cell(fix)} |`)
  }
  return `${lines.join('\n')}\n`
}
