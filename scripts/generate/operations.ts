/** docs/operations.md: every operation, from the list in packages/server/src/systems.ts; what it refuses with, from the comment above it. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { abilities, errorCatalogue } from '@work-manager/contract'
import type { Operation } from '../../packages/server/src/kernel/operations/operation.ts'

const leaseRefusals = ['lease_token_required', 'lease_error', 'lease_expired', 'lease_lost', 'already_submitted', 'paused']
const code = (text: string) => `\`${text}\``
const cell = (text: string) => text.replaceAll('|', String.raw`\|`)

/** Operation name → codes of the comment's `Refuses with:`. A word in it that looks like a code and is none (nor an operation) is an error. */
export function readRefusals(directory: string, names: ReadonlySet<string>): Map<string, string[]> {
  const refusals = new Map<string, string[]>()
  for (const file of readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()) {
    const text = readFileSync(path.join(directory, file), 'utf8')
    for (const match of text.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s*export const \w+ = defineOperation\(\{\s*name: '(\w+)'/g)) {
      const [, comment = '', name = ''] = match
      const listed = /Refuses with:([^]*?)(?:\.\s+[A-Z]|$)/.exec(comment)?.[1]?.replaceAll(/\([^)]*\)/g, '') ?? ''
      const words = [...listed.matchAll(/\b[a-z]+(?:_[a-z]+)+\b|\bbusy\b/g)].map(([word]) => word).filter((word) => !names.has(word))
      const stranger = words.find((word) => !Object.hasOwn(errorCatalogue, word))
      if (stranger !== undefined)
        throw new Error(`${file}: the comment of ${name} says that it refuses with '${stranger}', which is not in the error catalogue.`)
      refusals.set(name, [...new Set([...words, ...(listed.includes('the lease refusals') ? leaseRefusals : [])])])
    }
  }
  return refusals
}

const keyRule = { required: 'required', accepted: 'if sent', none: '–' } as const

export function renderOperations(operations: readonly Operation[], directory: string): string {
  const refusals = readRefusals(directory, new Set(operations.map(({ name }) => name)))
  const lines = [
    '# Operations',
    '',
    'Generated from `packages/server/src/systems.ts`; edit that, then run `npm run generate`.',
    '',
    'One verb, one file; every door is derived from this list. Paths stand under `/api/work` (also `/api/agent/work` and `/agent/work`). Request and',
    'answer shapes: [openapi.json](openapi.json). Every operation may also refuse with the codes that any request can get:',
    '[identity](errors.md#auth_required), [abilities](errors.md#scope_missing), [shape](errors.md#validation_failed), [malformed ids](errors.md#id_malformed),',
    '[idempotency keys](errors.md#idempotency_key_required) and [the server itself](errors.md#internal).',
    '',
    '| Operation | Route | Ability | Idempotency key | Answer | What it does | Refuses with |',
    '|---|---|---|---|---|---|---|',
  ]
  for (const { name, summary, http, ability, peopleOnly, idempotency } of operations) {
    const routes = [http.path, ...(http.aliases ?? [])].map((route) => code(`${http.method} ${route.replaceAll(/:(\w+)/g, '{$1}')}`))
    const refuses = (refusals.get(name) ?? []).map((one) => `[${code(one)}](errors.md#${one})`)
    lines.push(
      `| ${code(name)} | ${routes.join('<br>also ')} | ${code(ability)}${peopleOnly ? ', people only' : ''} | ${keyRule[idempotency]} | ${http.success} | ${cell(summary)} | ${refuses.join(' ') || '–'} |`,
    )
  }
  lines.push(
    '',
    '## Abilities',
    '',
    'A key may hold single abilities or a group such as `work:*`.',
    '',
    '| Ability | What it allows |',
    '|---|---|',
  )
  for (const [name, { says }] of Object.entries(abilities)) lines.push(`| ${code(name)} | ${cell(says)} |`)
  return `${lines.join('\n')}\n`
}
