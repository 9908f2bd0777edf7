/**
 * The generated module of the Python SDK, out of the OpenAPI document: the table of routes, a TypedDict for each answer and a method for
 * each operation.
 */
interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly anyOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly description?: string
}
interface Described {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly parameters: ReadonlyArray<{
    readonly $ref?: string
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly schema?: Schema
  }>
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } }
  readonly responses: Readonly<Record<string, { readonly content?: { readonly 'application/json'?: { readonly schema: Schema } } }>>
}
interface Document {
  readonly servers: readonly { readonly url: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

const pascal = (name: string): string => name.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
const isName = (name: string): boolean => /^[A-Za-z_]\w*$/.test(name)
/** Words that Python keeps for itself, as far as members have met them; a trailing underscore, as its style guide says. */
const kept = new Set([
  'class',
  'from',
  'import',
  'in',
  'is',
  'not',
  'or',
  'and',
  'pass',
  'global',
  'for',
  'if',
  'with',
  'as',
  'def',
  'None',
])
const argument = (name: string): string => (kept.has(name) ? `${name}_` : name)
const text = (words: string): string => words.replaceAll('\\', '\\\\').replaceAll('"""', "'''")

/** Python types of schemas; objects with members become TypedDicts of their own, collected on the way. */
class Types {
  readonly classes: string[] = []

  of(schema: Schema, name: string): string {
    if (schema.$ref) return `"${schema.$ref.split('/').at(-1)!}"`
    if (schema.anyOf) return [...new Set(schema.anyOf.map((one, n) => this.of(one, `${name}${n}`)))].toSorted(noneLast).join(' | ')
    if (schema.enum) return `Literal[${schema.enum.map((one) => JSON.stringify(one)).join(', ')}]`
    if (schema.const !== undefined) return `Literal[${JSON.stringify(schema.const)}]`
    if (schema.type === 'string') return 'str'
    if (schema.type === 'integer') return 'int'
    if (schema.type === 'number') return 'float'
    if (schema.type === 'boolean') return 'bool'
    if (schema.type === 'null') return 'None'
    if (schema.type === 'array') return `Sequence[${this.of(schema.items ?? {}, `${name}Entry`)}]`
    if (schema.type !== 'object') return 'Any'
    return this.object(schema, name)
  }

  object(schema: Schema, name: string): string {
    const members = Object.entries(schema.properties ?? {})
    if (members.length === 0 || members.some(([member]) => !isName(member) || kept.has(member))) return 'Mapping[str, Any]'
    const required = new Set(schema.required)
    const lines = (wanted: boolean): string[] =>
      members.flatMap(([member, inner]) => {
        if (required.has(member) !== wanted) return []
        const about = inner.description ? `\n    """${text(inner.description)}"""` : ''
        return [`    ${member}: ${this.of(inner, `${name}${pascal(member)}`)}${about}`]
      })
    const [always, sometimes] = [lines(true), lines(false)]
    const body = (of: readonly string[]): string => (of.length === 0 ? '    pass' : of.join('\n'))
    if (sometimes.length === 0) this.classes.push(`class ${name}(TypedDict):\n${body(always)}\n`)
    else if (always.length === 0) this.classes.push(`class ${name}(TypedDict, total=False):\n${body(sometimes)}\n`)
    else
      this.classes.push(
        `class _${name}Always(TypedDict):\n${body(always)}\n`,
        `class ${name}(_${name}Always, total=False):\n${body(sometimes)}\n`,
      )
    return `"${name}"`
  }
}

const noneLast = (a: string, b: string): number => Number(a === 'None') - Number(b === 'None')
/** A quoted name in a union is a string at run time; whole annotations are quoted by the future import. */
const bare = (type: string): string => type.replaceAll(/"([A-Z]\w*)"(?!\])/g, '$1')

/** Renders the module. `openApi` is the text of the document. */
export function renderPythonSdk(openApi: string): string {
  const document = JSON.parse(openApi) as Document
  const types = new Types()
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    if (schema.type === 'object' && types.object(schema, name) !== `"${name}"`) types.classes.push(`${name} = Mapping[str, Any]\n`)
  }
  const routes: string[] = []
  const methods: string[] = []
  for (const [path, verbs] of Object.entries(document.paths))
    for (const [verb, operation] of Object.entries(verbs)) {
      const { operationId, summary, description, parameters, requestBody, responses } = operation
      const takesKey = parameters.some((one) => one.name === 'Idempotency-Key')
      const isRepeatable = takesKey || !('201' in responses)
      routes.push(
        `    "${operationId}": Route("${operationId}", "${verb.toUpperCase()}", "${path}", ${takesKey ? 'True' : 'False'}, ${isRepeatable ? 'True' : 'False'}),`,
      )
      const body = requestBody?.content['application/json'].schema
      const members = [
        ...parameters.flatMap((one) =>
          one.$ref === undefined && one.in !== 'header'
            ? [{ name: one.name, schema: one.schema ?? {}, required: one.required === true }]
            : [],
        ),
        ...Object.entries(body?.properties ?? {}).map(([name, schema]) => ({
          name,
          schema,
          required: (body?.required ?? []).includes(name),
        })),
      ].toSorted((a, b) => Number(b.required) - Number(a.required))
      const success = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1].content?.['application/json']?.schema
      const output = success ? bare(types.of(success, `${pascal(operationId)}Output`)) : 'Any'
      const inputs = members.map(({ name, schema, required }) => {
        const type = bare(types.of(schema, `${pascal(operationId)}${pascal(name)}`))
        return `        ${argument(name)}: ${required ? type : `${type.replace(/ \| None$/, '')} | None = None`},`
      })
      const given = members.map(({ name }) => `"${name}": ${argument(name)}`).join(', ')
      methods.push(
        [
          `    def ${operationId}(`,
          '        self,',
          ...(members.length > 0 ? ['        *,', ...inputs] : ['        *,']),
          '        options: CallOptions | None = None,',
          `    ) -> ${output}:`,
          `        """${text(summary)}\n\n        ${text(description)}\n        """`,
          `        return cast("${output.replaceAll('"', "'")}", self.call("${operationId}", {${given}}, options).output)`,
        ].join('\n'),
      )
    }
  return [
    '"""Generated by scripts/generate/python-sdk.ts from docs/openapi.json; edit the operations, then run `npm run generate`."""',
    '',
    'from __future__ import annotations',
    '',
    'from collections.abc import Mapping, Sequence',
    'from dataclasses import dataclass',
    'from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast',
    '',
    'if TYPE_CHECKING:',
    '    from .client import CallOptions',
    '    from .transport import Answer',
    '',
    `BASE_PATH = "${document.servers[0]!.url}"`,
    '"""Where the operations are served."""',
    '',
    '',
    '@dataclass(frozen=True)',
    'class Route:',
    '    operation: str',
    '    method: str',
    '    path: str',
    '    takes_key: bool',
    '    is_repeatable: bool',
    '',
    '',
    'ROUTES: Mapping[str, Route] = {',
    ...routes,
    '}',
    '',
    '',
    types.classes.join('\n\n'),
    '',
    'class OperationMethods:',
    '    """One method per operation."""',
    '',
    '    def call(self, operation: str, input: Mapping[str, Any] | None = None, options: CallOptions | None = None) -> Answer[Any]:',
    '        raise NotImplementedError',
    '',
    methods.join('\n\n'),
    '',
  ].join('\n')
}
