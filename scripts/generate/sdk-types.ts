/**
 * packages/sdk/src/generated/api.ts: the types of every operation, and the table that the client is made from, out of the OpenAPI
 * document; the codes of refusals out of the catalogue. A schema keyword that has no type here stops the generator.
 */
import { errorCatalogue } from '@work-manager/contract'

interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly anyOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: unknown
  readonly required?: readonly string[]
  readonly description?: string
}
interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly schema: Schema
}
interface Described {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly parameters: readonly (Parameter & { readonly $ref?: string })[]
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } }
  readonly responses: Readonly<Record<string, { readonly content?: { readonly 'application/json': { readonly schema: Schema } } }>>
}
interface Document {
  readonly servers: readonly { readonly url: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** Given: what a caller sends, where any object will do. Got: what the server answers, where an open object has unknown members. */
type Direction = 'given' | 'got'

/** Keywords that say nothing about the type: a schema of these alone takes anything. */
const annotations = new Set(['title', 'description', 'default', 'examples', 'deprecated'])

const pascal = (name: string): string => name.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
const camel = (name: string): string => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
const member = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? name : `'${name}'`)
const literal = (value: unknown): string =>
  typeof value === 'string' ? `'${value.replaceAll("'", String.raw`\'`)}'` : JSON.stringify(value)
const comment = (text: string | undefined, indent: string): string => (text ? `${indent}/** ${text.replaceAll('*/', '* /')} */\n` : '')

function typeOf(schema: Schema, direction: Direction, indent: string): string {
  if (schema.$ref) return schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)
  if (schema.anyOf) return [...new Set(schema.anyOf.map((one) => typeOf(one, direction, indent)))].join(' | ')
  if (schema.enum) return schema.enum.map(literal).join(' | ')
  if (schema.const !== undefined) return literal(schema.const)
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type
    case 'integer':
    case 'number':
      return 'number'
    case 'array': {
      const items = typeOf(schema.items ?? {}, direction, indent)
      return /[ |]/.test(items) ? `ReadonlyArray<${items}>` : `readonly ${items}[]`
    }
    case 'object':
      return objectType(schema, direction, indent)
    case undefined:
      if (Object.keys(schema).every((keyword) => annotations.has(keyword))) return 'unknown'
  }
  throw new Error(`sdk-types: there is no TypeScript for ${JSON.stringify(schema).slice(0, 200)}; teach scripts/generate/sdk-types.ts.`)
}

function objectType(schema: Schema, direction: Direction, indent: string): string {
  const properties = Object.entries(schema.properties ?? {})
  const isOpen = schema.additionalProperties === true || schema.patternProperties !== undefined
  if (properties.length === 0) {
    if (direction === 'given') return isOpen ? 'object' : 'Record<string, never>'
    const [values = {}] = Object.values(schema.patternProperties ?? {})
    return `Readonly<Record<string, ${typeOf(values, direction, indent)}>>`
  }
  const inner = `${indent}  `
  const lines = properties.map(([name, property]) => {
    const optional = schema.required?.includes(name) ? '' : '?'
    return `${comment(property.description, inner)}${inner}readonly ${member(name)}${optional}: ${typeOf(property, direction, inner)}\n`
  })
  if (isOpen) lines.push(`${inner}readonly [other: string]: unknown\n`)
  return `{\n${lines.join('')}${indent}}`
}

/** The whole input of an operation as one object: path and query parameters and members of the body. */
function inputOf({ parameters, requestBody }: Described): Schema {
  const own = parameters.filter((one) => one.$ref === undefined && one.in !== 'header')
  const body = requestBody?.content['application/json'].schema
  return {
    type: 'object',
    properties: { ...Object.fromEntries(own.map(({ name, schema }) => [name, schema])), ...body?.properties },
    required: [...own.filter((one) => one.required).map((one) => one.name), ...(body?.required ?? [])],
  }
}

function declare(name: string, schema: Schema, direction: Direction): string {
  const type = typeOf(schema, direction, '')
  return type.startsWith('{') ? `export interface ${name} ${type}\n` : `export type ${name} = ${type}\n`
}

/** Renders the file. `openApi` is the text of the document. */
export function renderSdkTypes(openApi: string): string {
  const { servers, paths, components } = JSON.parse(openApi) as Document
  const types: string[] = []
  const methods: string[] = []
  const routes: string[] = []
  for (const [path, verbs] of Object.entries(paths))
    for (const [verb, operation] of Object.entries(verbs)) {
      const { operationId, summary, description, parameters, responses } = operation
      const [name, input] = [pascal(operationId), inputOf(operation)]
      const [status, success] = Object.entries(responses).find(([code]) => code.startsWith('2'))!
      const takesKey = parameters.some((one) => one.name === 'Idempotency-Key')
      // What makes something new each time must not be sent twice; everything else without a key is safe to repeat.
      const isRepeatable = takesKey || status !== '201'
      types.push(
        Object.keys(input.properties!).length === 0
          ? `export type ${name}Input = Record<string, never>\n`
          : declare(`${name}Input`, input, 'given'),
        declare(`${name}Output`, success.content!['application/json'].schema, 'got'),
      )
      const optional = input.required!.length === 0 ? '?' : ''
      methods.push(
        `  /** ${summary} ${description} */\n  ${camel(operationId)}(input${optional}: ${name}Input, options?: ${takesKey ? 'KeyedCallOptions' : 'CallOptions'}): Promise<${name}Output>\n`,
      )
      routes.push(
        `  ${camel(operationId)}: { operation: '${operationId}', method: '${verb.toUpperCase()}', path: '${path}', takesKey: ${takesKey}, isRepeatable: ${isRepeatable} },\n`,
      )
    }
  const lines = [
    '/** Generated by scripts/generate/sdk-types.ts from docs/openapi.json and the error catalogue; edit the operations, then run `npm run generate`. */\n',
    "import type { CallOptions, KeyedCallOptions } from '../call-options.ts'\n\n",
    '/** Where the operations are served. */\n',
    `export const basePath = '${servers[0]!.url}'\n\n`,
    '/** Every code that a refusal can carry; docs/errors.md says what each means. */\n',
    `export type ErrorCode =\n${Object.keys(errorCatalogue)
      .map((code) => `  | '${code}'\n`)
      .join('')}\n`,
    ...Object.entries(components.schemas).map(([name, schema]) => `${declare(name, schema, 'got')}\n`),
    ...types.map((type) => `${type}\n`),
    '/** One method per operation. */\nexport interface WorkManagerClient {\n',
    methods.join('\n'),
    '}\n\n',
    'export interface Route {\n  readonly operation: string\n  readonly method: string\n  readonly path: string\n  readonly takesKey: boolean\n  readonly isRepeatable: boolean\n}\n\n',
    'export const routes: Readonly<Record<keyof WorkManagerClient, Route>> = {\n',
    ...routes,
    '}\n',
  ]
  return lines.join('')
}
