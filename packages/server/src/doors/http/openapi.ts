/** The OpenAPI 3.1 document, derived from the list of operations: the same list always gives the same bytes. */
import { abilities, abilityGroups, errorCatalogue, type ErrorCode, ProblemShape } from '@work-manager/contract'
import type { Operation } from '../../kernel/operations/operation.ts'
import { refusalsOf } from '../../kernel/operations/refusals.ts'
import { paramsOf } from '../../kernel/operations/request-source.ts'
import { SchemaComponents, type JsonSchema } from './openapi-schemas.ts'

interface OpenApiOptions {
  readonly version: string
  readonly mounts?: readonly string[]
}

type Json = Record<string, unknown>

const headerNames = {
  RequestId: { description: 'The id of the request, for the log and for questions.', schema: { type: 'string' } },
  IdempotentReplayed: {
    description: 'true when this is the kept answer of an earlier request with the same key.',
    schema: { type: 'string', enum: ['true'] },
  },
  IdempotencyExpires: { description: 'Until when a repeat with the same key gets this answer.', schema: { type: 'string' } },
  RetryAfter: { description: 'Seconds to wait before repeating the same request.', schema: { type: 'integer' } },
}

const claimHeaders: Record<string, string> = {
  'X-Agent-ID': 'The agent that acts. Binding for service keys; an agent’s own key already says it.',
  'X-Agent-Name': 'Display name of the agent.',
  'X-Agent-Version': 'Version of the agent.',
  'X-Model-Name': 'The model that works.',
  'X-Runtime': 'Where it runs.',
  'X-Correlation-ID':
    'The story that this call belongs to: a UUID, or 8–128 letters, digits and . _ : / + = @ ~ -. An order that it proposes carries it to every event. Every answer has one.',
  'X-Session-Key': 'Your session: 1–128 letters, digits and . _ : / + = @ ~ -. Kept with an order that the call proposes.',
  'X-Request-ID': 'An id of your own for this request: 1–128 printable characters without spaces.',
}

/** The rest is what a provenance keeps. */
const claimed = new Set(['X-Agent-ID', 'X-Agent-Name', 'X-Agent-Version', 'X-Model-Name', 'X-Runtime'])

/** Builds the document. */
export function buildOpenApi(operations: readonly Operation[], options: OpenApiOptions): Json {
  const components = new SchemaComponents()
  const problem = components.reference(ProblemShape)
  const paths: Record<string, Json> = {}
  for (const operation of operations) {
    const path = templated(operation.http.path)
    paths[path] = { ...paths[path], [operation.http.method.toLowerCase()]: describe(operation, components) }
  }
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: { title: 'Work Manager', version: options.version, description: 'The work-order control plane for AI agents.' },
    servers: (options.mounts ?? ['/api/work']).map((url) => ({ url })),
    security: [{ bearer: [] }],
    tags: abilityGroups.map((name) => ({ name })),
    paths,
    components: {
      schemas: components.schemas(),
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'A key made with `npx work-manager keys create`.' } },
      parameters: Object.fromEntries(
        Object.entries(claimHeaders).map(([name, description]) => [
          componentName(name),
          { name, in: 'header', description, schema: { type: 'string', maxLength: claimed.has(name) ? 255 : 128 } },
        ]),
      ),
      headers: headerNames,
      responses: {
        Problem: {
          description: `A refusal. \`code\` is one of: ${Object.keys(errorCatalogue).join(', ')}.`,
          headers: { 'X-Request-Id': headerRef('RequestId'), 'Retry-After': headerRef('RetryAfter') },
          content: { 'application/problem+json': { schema: problem } },
        },
      },
    },
  }
}

function describe(operation: Operation, components: SchemaComponents): Json {
  const input = components.plain(operation.input)
  const inPath = paramsOf(operation.http.path)
  const members = Object.entries(input.properties ?? {}).filter(([name]) => !inPath.includes(name))
  const isQuery = operation.http.method === 'GET'
  const aliases = operation.http.aliases ?? []
  const notes = [
    `Needs the ability \`${operation.ability}\`${operation.peopleOnly ? ', and a key bound to a person' : ''}.`,
    ...(aliases.length > 0 ? [`Also served at ${aliases.map((alias) => `\`${templated(alias)}\``).join(', ')}.`] : []),
  ]
  return {
    operationId: operation.name,
    tags: [abilities[operation.ability].group],
    summary: operation.summary,
    description: notes.join(' '),
    parameters: [
      ...inPath.map((name) => ({ name, in: 'path', required: true, schema: input.properties?.[name] ?? { type: 'string' } })),
      ...(isQuery ? members.map(([name, schema]) => queryParameter(name, schema, input)) : []),
      ...keyParameters(operation),
      ...Object.keys(claimHeaders).map((name) => ({ $ref: `#/components/parameters/${componentName(name)}` })),
    ],
    ...(isQuery ? {} : { requestBody: bodyOf(input, members) }),
    responses: {
      [operation.http.success]: success(operation, components),
      ...refusals(operation),
      default: { $ref: '#/components/responses/Problem' },
    },
  }
}

function queryParameter(name: string, schema: JsonSchema, input: JsonSchema): Json {
  const isObject = schema.type === 'object' || schema.properties !== undefined
  return {
    name,
    in: 'query',
    required: input.required?.includes(name) ?? false,
    schema,
    ...(isObject && { style: 'deepObject', explode: true }),
  }
}

function bodyOf(input: JsonSchema, members: readonly (readonly [string, JsonSchema])[]): Json {
  const names = members.map(([name]) => name)
  const required = (input.required ?? []).filter((name) => names.includes(name))
  const schema = { ...input, properties: Object.fromEntries(members), required }
  return { required: required.length > 0, content: { 'application/json': { schema } } }
}

function keyParameters(operation: Operation): Json[] {
  if (operation.idempotency === 'none') return []
  return [
    {
      name: 'Idempotency-Key',
      in: 'header',
      required: operation.idempotency === 'required',
      description: 'A new UUID for a new request; the same one when the same request is repeated. X-Idempotency-Key is read as well.',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    },
  ]
}

function success(operation: Operation, components: SchemaComponents): Json {
  const headers: Json = { 'X-Request-Id': headerRef('RequestId') }
  if (operation.idempotency !== 'none') {
    headers['Idempotent-Replayed'] = headerRef('IdempotentReplayed')
    headers['Idempotency-Expires'] = headerRef('IdempotencyExpires')
  }
  return { description: operation.summary, headers, content: { 'application/json': { schema: components.reference(operation.output) } } }
}

/** The refusals that its callers should expect, by status: its own, and those of anybody who may not call or calls wrongly. */
function refusals(operation: Operation): Json {
  const codes = new Set<ErrorCode>([
    ...anyCaller,
    ...(paramsOf(operation.http.path).length > 0 ? (['id_malformed'] as const) : []),
    ...refusalsOf(operation),
  ])
  const byStatus = Map.groupBy(codes, (code) => errorCatalogue[code].status)
  return Object.fromEntries(
    [...byStatus]
      .filter(([status]) => status < 500)
      .toSorted(([a], [b]) => a - b)
      .map(([status, ofStatus]) => [
        status,
        {
          description: ofStatus.map((code) => `\`${code}\`: ${errorCatalogue[code].title}`).join(' '),
          headers: { 'X-Request-Id': headerRef('RequestId'), ...(status === 429 ? { 'Retry-After': headerRef('RetryAfter') } : {}) },
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      ]),
  )
}
const anyCaller = [
  'auth_required',
  'auth_malformed',
  'key_unknown',
  'key_expired',
  'key_revoked',
  'scope_missing',
  'validation_failed',
  'rate_limited',
] as const

const templated = (path: string): string => path.replace(/:(\w+)/g, '{$1}')
const componentName = (header: string): string => header.replaceAll('-', '')
const headerRef = (name: keyof typeof headerNames): Json => ({ $ref: `#/components/headers/${name}` })
