/** docs/openapi.json, with the settings of a server that was not configured; refused unless it is what OpenAPI 3.1 asks for. */
import { readFile } from 'node:fs/promises'
import { loadConfig } from '../../packages/server/src/config/index.ts'
import { buildOpenApi } from '../../packages/server/src/doors/http/openapi.ts'
import type { Operation } from '../../packages/server/src/kernel/operations/operation.ts'
import { compileSchema } from '../../packages/server/src/kernel/schemas/schema-validator.ts'

type Json = Record<string, unknown>

interface Parameter {
  readonly name?: string
  readonly in?: string
  readonly required?: boolean
  readonly schema?: Json
}
interface Described {
  readonly operationId?: string
  readonly parameters?: readonly (Parameter & { $ref?: string })[]
  readonly requestBody?: { content: Record<string, { schema: Json }> }
  readonly responses?: Record<string, { $ref?: string; description?: string; content?: Record<string, { schema: Json }> }>
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What is wrong with the document: references that lead nowhere, paths without their parameters, schemas that do not compile. */
export function openApiProblems(document: Json): string[] {
  const problems: string[] = []
  const say = (where: string, what: string) => problems.push(`${where}: ${what}`)
  if (!/^3\.1\.\d+$/.test(String(document.openapi))) say('openapi', 'must be 3.1.x')
  const info = document.info as Json | undefined
  if (typeof info?.title !== 'string' || typeof info.version !== 'string') say('info', 'needs a title and a version')

  const follow = (reference: string): unknown =>
    reference
      .split('/')
      .slice(1)
      .reduce<unknown>((node, step) => (isObject(node) ? node[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined), document)
  const walk = (node: unknown, where: string): void => {
    if (Array.isArray(node)) node.forEach((one, index) => walk(one, `${where}/${index}`))
    if (!isObject(node)) return
    if (typeof node.$ref === 'string' && (!node.$ref.startsWith('#/') || follow(node.$ref) === undefined))
      say(where, `refers to ${node.$ref}, which is not there`)
    for (const [key, value] of Object.entries(node)) walk(value, `${where}/${key}`)
  }
  walk(document, '#')
  // A schema is read together with what it refers to.
  const compiles = (schema: Json, where: string) => {
    try {
      const together = JSON.stringify({ $defs: (document.components as { schemas: Json }).schemas, ...schema })
      compileSchema(JSON.parse(together.replaceAll('#/components/schemas/', '#/$defs/')) as Json)
    } catch (error) {
      say(where, `is no JSON Schema: ${(error as Error).message}`)
    }
  }

  const ids = new Set<string>()
  for (const [path, methods] of Object.entries((document.paths ?? {}) as Record<string, Record<string, Described>>)) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
    for (const [method, operation] of Object.entries(methods)) {
      const where = `${method.toUpperCase()} ${path}`
      if (!operation.operationId || ids.has(operation.operationId))
        say(where, `needs an operationId of its own, not ${operation.operationId}`)
      ids.add(operation.operationId ?? '')
      const own = (operation.parameters ?? []).filter((one) => one.$ref === undefined)
      const named = own.filter((one) => one.in === 'path').map((one) => one.name)
      if (named.length !== inPath.length || !inPath.every((name) => named.includes(name)))
        say(where, `has the path parameters ${inPath.join()} but describes ${named.join()}`)
      if (new Set(own.map((one) => `${one.in} ${one.name}`)).size !== own.length) say(where, 'describes a parameter twice')
      for (const one of own) {
        if (one.in === 'path' && one.required !== true) say(where, `path parameter ${one.name} must be required`)
        if (!isObject(one.schema)) say(where, `parameter ${one.name} needs a schema`)
      }
      const answers = Object.entries(operation.responses ?? {})
      if (!answers.some(([status]) => /^2\d\d$/.test(status))) say(where, 'describes no success')
      for (const [status, answer] of answers) {
        if (answer.$ref === undefined && !answer.description) say(where, `answer ${status} needs a description`)
        for (const { schema } of Object.values(answer.content ?? {})) compiles(schema, `${where} ${status}`)
      }
      for (const { schema } of Object.values(operation.requestBody?.content ?? {})) compiles(schema, `${where} body`)
    }
  }
  return problems
}

export async function renderOpenApi(operations: readonly Operation[]): Promise<string> {
  const manifest = JSON.parse(await readFile(new URL('../../packages/server/package.json', import.meta.url), 'utf8')) as { version: string }
  const { server } = await loadConfig({ env: {}, cwd: import.meta.dirname })
  const document = buildOpenApi(operations, { version: manifest.version, mounts: server.base_paths })
  const problems = openApiProblems(document)
  if (problems.length > 0) throw new Error(`The OpenAPI document is not sound:\n${problems.map((one) => `  ${one}`).join('\n')}`)
  return `${JSON.stringify(document, null, 2)}\n`
}
