/** docs/errors.md: every refusal, from the error rows of packages/contract/src. `urn:work-manager:error:<code>` is the anchor `#<code>`. */
import { errorCatalogue } from '@work-manager/contract'

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
    'Generated from the error rows of `packages/contract/src/`; edit those, then run `npm run generate`.',
    '',
    'Every refusal is one object, the same on every door: `application/problem+json` (RFC 9457). `code` is stable; `detail` says what is wrong in this',
    'case, `fix` what to do now, `errors` where. `type` is `urn:work-manager:error:` and the code; its page is this one, at `#` and the code (`rate_limited` has the type of the IETF draft, `…#quota-exceeded`).',
    'Those that pass later on their own carry `Retry-After`.',
  ]
  const rows = Object.entries(errorCatalogue)
  for (const section of new Set(rows.map(([, row]) => row.section))) {
    lines.push('', `## ${section}`, '', '| Code | Status | Repeat? | What happened | What to do |', '|---|---|---|---|---|')
    for (const [code, { status, retry, title, fix, section: own }] of rows)
      if (own === section) lines.push(`| <a id="${code}"></a>\`${code}\` | ${status} | ${retries[retry]} | ${cell(title)} | ${cell(fix)} |`)
  }
  return `${lines.join('\n')}\n`
}
