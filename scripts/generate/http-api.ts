/** docs/http-api.md: the conventions (http-api-conventions.md beside this file), then every operation from the OpenAPI document, with recorded answers. */
import { readFile } from 'node:fs/promises'
import { abilities, abilityGroups } from '@work-manager/contract'
import samples from '../../packages/server/src/doors/http/generated/sample-answers.json' with { type: 'json' }
import { buildOpenApi } from '../../packages/server/src/doors/http/openapi.ts'
import { schemaWords, type SchemaNode } from '../../packages/server/src/doors/http/schema-words.ts'
import type { Operation } from '../../packages/server/src/kernel/operations/operation.ts'
import { refusalsOf } from '../../packages/server/src/kernel/operations/refusals.ts'
import { Missing } from './write-files.ts'

interface Input {
  readonly name: string
  readonly where: string
  readonly required: boolean
  readonly schema: SchemaNode
}
interface Described {
  readonly parameters: ReadonlyArray<{ $ref?: string; name: string; in: string; required: boolean; schema: SchemaNode }>
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: SchemaNode } } }
}

const code = (text: string) => `\`${text}\``
const cell = (text: string) => text.replaceAll('|', String.raw`\|`).replaceAll(/\s+/g, ' ')
const braces = (path: string) => path.replaceAll(/:(\w+)/g, '{$1}')
const keyRule = { required: 'required', accepted: 'honoured when sent', none: 'not needed, safe to repeat' } as const

function inputsOf({ parameters, requestBody }: Described): Input[] {
  const body = requestBody?.content['application/json'].schema
  return [
    ...parameters
      .filter((one) => one.$ref === undefined && one.in !== 'header')
      .map((one) => ({ name: one.name, where: one.in, required: one.required, schema: one.schema })),
    ...Object.entries(body?.properties ?? {}).map(([name, schema]) => ({
      name,
      where: 'body',
      required: body?.required?.includes(name) ?? false,
      schema,
    })),
  ]
}

interface Sample {
  readonly request: { readonly method: string; readonly path: string; readonly body?: unknown }
  readonly status: number
  readonly answer: unknown
}
const recorded = samples as Readonly<Record<string, Sample | undefined>>
const record = 'npx vitest run packages/server/testing/sample-answers.test.ts -u'

function describe(operation: Operation, described: Described, sample: Sample): string[] {
  const refusals = refusalsOf(operation)
  const { name, summary, http, ability, peopleOnly, idempotency } = operation
  const { request, status, answer } = sample
  const aliases = (http.aliases ?? []).map((alias) => code(`${http.method} ${braces(alias)}`))
  const inputs = inputsOf(described)
  const lines = [
    '',
    `### \`${http.method} ${braces(http.path)}\``,
    '',
    `<a id="${name}"></a>${summary}`,
    '',
    `- Operation ${code(name)}${aliases.length > 0 ? `, also served at ${aliases.join(', ')}` : ''}; ability ${code(ability)}${peopleOnly ? ', only with a key of kind `person`' : ''}`,
    `- Idempotency key: ${keyRule[idempotency]}`,
    `- Refuses with: ${refusals.length > 0 ? refusals.map((one) => `[${code(one)}](errors.md#${one})`).join(', ') : 'nothing of its own'}`,
  ]
  if (inputs.length > 0) {
    lines.push('', '| Input | In | Type | Meaning |', '|---|---|---|---|')
    for (const { name: input, where, required, schema } of inputs)
      lines.push(
        `| ${code(input)} | ${where}${required ? ', required' : ''} | ${cell(schemaWords(schema))} | ${cell(schema.description ?? descriptionWithin(schema))} |`,
      )
  }
  const body = request.body === undefined ? [] : ['', JSON.stringify(request.body, null, 2)]
  lines.push(
    '',
    '```http',
    `${request.method} /api/work${request.path}`,
    ...body,
    '```',
    '',
    `Answer ${status}:`,
    '',
    '```json',
    JSON.stringify(answer, null, 2),
    '```',
  )
  return lines
}

/** `null or string` keeps its description inside. */
const descriptionWithin = (schema: SchemaNode): string => schema.anyOf?.find((one) => one.description !== undefined)?.description ?? ''

export async function renderHttpApi(operations: readonly Operation[]): Promise<string> {
  const missing = operations.filter(({ name }) => recorded[name] === undefined).map(({ name }) => name)
  if (missing.length > 0)
    throw new Missing(
      `it shows a recorded answer of each verb; there is none of ${missing.join(', ')}. With a case in \`cases.ts\` of the noun, record it: ${record} && npm run generate`,
    )
  const { paths } = buildOpenApi(operations, { version: '0' }) as unknown as { paths: Record<string, Record<string, Described>> }
  const conventions = await readFile(new URL('http-api-conventions.md', import.meta.url), 'utf8')
  const lines = [
    conventions.trimEnd(),
    '',
    '## Operations',
    '',
    'The answers below are recorded from a real server; ids, times and secrets are replaced, and lists of objects show their first entry only.',
  ]
  for (const section of abilityGroups) {
    const own = operations.filter((operation) => abilities[operation.ability].group === section)
    lines.push('', `## ${section}`, '', own.map(({ name, http }) => `[\`${http.method} ${braces(http.path)}\`](#${name})`).join(' · '))
    for (const operation of own)
      lines.push(
        ...describe(operation, paths[braces(operation.http.path)]![operation.http.method.toLowerCase()]!, recorded[operation.name]!),
      )
  }
  return `${lines.join('\n')}\n`
}
