/** docs/operations.md: every operation, from the list in packages/server/src/systems.ts. */
import { abilities } from '@work-manager/contract'
import type { Operation } from '../../packages/server/src/kernel/operations/operation.ts'
import { refusalsOf } from '../../packages/server/src/kernel/operations/refusals.ts'

const code = (text: string) => `\`${text}\``
const cell = (text: string) => text.replaceAll('|', String.raw`\|`)

const keyRule = { required: 'required', accepted: 'if sent', none: '–' } as const

export function renderOperations(operations: readonly Operation[]): string {
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
  for (const operation of operations) {
    const { name, summary, http, ability, peopleOnly, idempotency } = operation
    const routes = [http.path, ...(http.aliases ?? [])].map((route) => code(`${http.method} ${route.replaceAll(/:(\w+)/g, '{$1}')}`))
    const refuses = refusalsOf(operation).map((one) => `[${code(one)}](errors.md#${one})`)
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
