/** SPDX licence expressions: a small grammar (ids, AND, OR, WITH, parentheses), enough to tell an expression from prose. */

const id = /^(DocumentRef-[A-Za-z0-9.-]+:)?(LicenseRef-[A-Za-z0-9.-]+|[A-Za-z0-9][A-Za-z0-9.-]*\+?)$/
const operators = new Set(['AND', 'OR', 'WITH'])
/** What a package says when it means that it has no licence to give, or one that SPDX does not know. */
const notExpressions = new Set(['UNLICENSED', 'UNKNOWN', 'SEE', 'NONE'])
/** Spelled as SPDX spells them; ids are compared without regard to case and must be written like this. */
const commonIds = [
  '0BSD',
  'AFL-2.1',
  'AGPL-3.0-only',
  'AGPL-3.0-or-later',
  'Apache-2.0',
  'Artistic-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BSL-1.0',
  'CC-BY-3.0',
  'CC-BY-4.0',
  'CC0-1.0',
  'EPL-2.0',
  'GPL-2.0-only',
  'GPL-2.0-or-later',
  'GPL-3.0-only',
  'GPL-3.0-or-later',
  'ISC',
  'LGPL-2.1-only',
  'LGPL-3.0-only',
  'LGPL-3.0-or-later',
  'MIT',
  'MIT-0',
  'MPL-2.0',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
  'WTFPL',
  'Zlib',
]
const canonical = new Map(commonIds.map((one) => [one.toLowerCase(), one]))

export type SpdxReading = { readonly ok: true; readonly ids: readonly string[] } | { readonly ok: false; readonly problem: string }

/** Reads an expression; `ids` are the licence ids in it. NOASSERTION is an expression of its own. */
export function readSpdx(expression: string): SpdxReading {
  if (expression === 'NOASSERTION') return { ok: true, ids: [] }
  const tokens = expression.match(/[()]|[^\s()]+/g) ?? []
  const ids: string[] = []
  let depth = 0
  let wantsId = true
  let exception = false
  for (const token of tokens) {
    if (token === '(') {
      if (!wantsId || exception) return { ok: false, problem: "'(' cannot stand there" }
      depth++
    } else if (token === ')') {
      if (wantsId || --depth < 0) return { ok: false, problem: "')' cannot stand there" }
    } else if (operators.has(token)) {
      if (wantsId) return { ok: false, problem: `${token} needs a licence id before it` }
      wantsId = true
      exception = token === 'WITH'
    } else {
      if (!wantsId) return { ok: false, problem: `'${token}' needs AND, OR or WITH before it` }
      if (!id.test(token)) return { ok: false, problem: `'${token}' is not a licence id` }
      if (notExpressions.has(token)) return { ok: false, problem: `'${token}' is not an SPDX id; use NOASSERTION and explain in notes` }
      const spelling = canonical.get(token.toLowerCase())
      if (!exception && spelling !== undefined && spelling !== token) return { ok: false, problem: `write '${spelling}', not '${token}'` }
      if (!exception) ids.push(token)
      wantsId = false
      exception = false
    }
  }
  if (wantsId || depth !== 0) return { ok: false, problem: 'the expression ends too early' }
  return { ok: true, ids }
}

/** Two expressions that differ only in case, spaces and outer parentheses count as the same. */
export function sameSpdx(a: string, b: string): boolean {
  const plain = (expression: string) =>
    expression
      .trim()
      .replace(/^\(([^()]*)\)$/, '$1')
      .replaceAll(/\s+/g, ' ')
      .trim()
      .toLowerCase()
  return plain(a) === plain(b)
}
