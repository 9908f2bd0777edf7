/**
 * The API reference at /docs: one page made from the OpenAPI document and the recorded samples. It asks nobody for anything (no fonts,
 * no scripts of others), says so with its content security policy, works without JavaScript, and prints nothing that is not escaped.
 */
import { hash } from 'node:crypto'
import { script, style } from './docs-page-assets.ts'
import sampleAnswers from './generated/sample-answers.json' with { type: 'json' }
import { schemaName, schemaWords, type SchemaNode } from './schema-words.ts'

interface Parameter {
  readonly $ref?: string
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: SchemaNode
}
interface Described {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description: string
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: SchemaNode }>> }
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: SchemaNode }>> }>>
}
/** As much of the OpenAPI document as the page reads. */
export interface ReferenceDocument {
  readonly info: { readonly version: string }
  readonly servers: ReadonlyArray<{ readonly url: string }>
  readonly tags: ReadonlyArray<{ readonly name: string }>
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: { readonly schemas: Readonly<Record<string, SchemaNode>> }
}

interface Sample {
  readonly request: { readonly method: string; readonly path: string; readonly body?: unknown }
  readonly status: number
  readonly answer: unknown
}
const samples = sampleAnswers as Readonly<Record<string, Sample | undefined>>

const marks: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (mark) => marks[mark]!)
/** Sentences with `code` in them. */
const prose = (text: string): string => escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
const code = (text: string): string => `<code>${escape(text)}</code>`
/** Words of a type; names of shared shapes lead to them. */
const typeCell = (schema: SchemaNode, names: ReadonlySet<string>): string =>
  escape(schemaWords(schema)).replaceAll(/\b[A-Z]\w+\b/g, (name) => (names.has(name) ? `<a href="#schema-${name}">${name}</a>` : name))

interface Row {
  readonly name: string
  readonly note: string
  readonly schema: SchemaNode
  readonly description: string
}

function table(title: string, rows: readonly Row[], names: ReadonlySet<string>): string {
  if (rows.length === 0) return ''
  const lines = rows.map(
    ({ name, note, schema, description }) =>
      `<tr><td>${code(name)}${note && ` <small>${escape(note)}</small>`}</td><td>${typeCell(schema, names)}</td><td>${prose(description)}</td></tr>`,
  )
  return `<h4>${escape(title)}</h4><table>${lines.join('')}</table>`
}

const membersOf = (schema: SchemaNode, told = true): Row[] =>
  Object.entries(schema.properties ?? {}).map(([name, member]) => ({
    name,
    note: told && schema.required?.includes(name) ? 'required' : '',
    schema: member,
    description: member.description ?? '',
  }))

const json = (value: unknown): string => escape(JSON.stringify(value, null, 2))

function sampleOf(operation: string, mount: string): string {
  const sample = samples[operation]
  if (!sample) return ''
  const { request, status, answer } = sample
  const body = request.body === undefined ? '' : `\n\n${json(request.body)}`
  return `<h4>Example</h4><pre>${escape(`${request.method} ${mount}${request.path}`)}${body}</pre><pre><b>${status}</b>\n${json(answer)}</pre>`
}

function operationPart(
  path: string,
  method: string,
  operation: Described,
  document: ReferenceDocument,
  names: ReadonlySet<string>,
): string {
  const mount = document.servers[0]?.url ?? ''
  const parameters = operation.parameters
    .filter((one) => one.$ref === undefined)
    .map((one) => ({
      name: one.name,
      note: `${one.in}${one.required ? ', required' : ''}`,
      schema: one.schema,
      description: one.description ?? one.schema.description ?? '',
    }))
  const body = operation.requestBody?.content['application/json']?.schema
  const [status, answer] = Object.entries(operation.responses).find(([key]) => key.startsWith('2')) ?? ['', {}]
  const schema = answer.content?.['application/json']?.schema ?? {}
  return `<details class="operation" id="${escape(operation.operationId)}">
<summary><b class="${escape(method)}">${escape(method.toUpperCase())}</b> ${code(path)} <span>${prose(operation.summary)}</span></summary>
<p>${code(operation.operationId)} ${prose(operation.description)}</p>
${table('Parameters', parameters, names)}${table('Body', body ? membersOf(body) : [], names)}${table(`Answer ${status}`, membersOf(schema, false), names)}${sampleOf(operation.operationId, mount)}
</details>`
}

/** The page, and the policy that it is to be served with. */
export function renderDocsPage(document: ReferenceDocument): { html: string; contentSecurityPolicy: string } {
  const names = new Set(Object.keys(document.components.schemas))
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const sections = document.tags.map(({ name }) => {
    const parts = all.filter(({ operation }) => operation.tags.includes(name))
    return `<section><h2>${escape(name)}</h2>\n${parts.map((part) => operationPart(part.path, part.method, part.operation, document, names)).join('\n')}</section>`
  })
  const shapes = Object.entries(document.components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${escape(schemaName(name))}"><summary>${code(name)}</summary>${table('Members', membersOf(schema, false), names)}</details>`,
  )
  const mounts = document.servers.map(({ url }) => code(url)).join(', ')
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Work Manager API</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>Work Manager API <small>${escape(document.info.version)}</small></h1>
<p>Every path stands under ${mounts}. Send <code>Authorization: Bearer &lt;key&gt;</code>; make a key with <code>npx work-manager keys create</code>.
Refusals are <code>application/problem+json</code> with <code>code</code>, <code>detail</code>, <code>fix</code> and <code>retry</code>.</p>
<nav><a href="/docs/http-api.md">Conventions</a> <a href="/docs/errors.md">Errors</a> <a href="/docs/agents.md">Connect an agent</a> <a href="/docs/sdk.md">SDK</a>
<a href="/docs/order-types.md">Order types</a> <a href="/docs/governance.md">Limits and pauses</a> <a href="/docs/metrics.md">Metrics</a>
<a href="/docs/tracing.md">Traces</a> <a href="/docs/publishers.md">Publishers</a> <a href="/docs/redis.md">Redis</a> <a href="/docs/cli.md">Command line</a> <a href="/openapi.json">OpenAPI</a> <a href="/llms.txt">llms.txt</a></nav>
<input type="search" id="search" placeholder="Search operations" aria-label="Search operations" hidden>
</header>
<main>
${sections.join('\n')}
<section><h2>Shapes</h2>
${shapes.join('\n')}
</section>
</main>
<script>${script}</script>
</body>
</html>
`
  const inline = (text: string): string => `'sha256-${hash('sha256', text, 'base64')}'`
  const contentSecurityPolicy = `default-src 'none'; style-src ${inline(style)}; script-src ${inline(script)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
  return { html, contentSecurityPolicy }
}
