/** Holds every successful answer of a test against the output schema of its operation: rendering is SQL, schemas are TypeBox, this joins them. */
import { operations } from '../src/systems.ts'
import type { Operation } from '../src/kernel/operations/operation.ts'
import { compileSchema, type Validator } from '../src/kernel/schemas/schema-validator.ts'

const routes = operations.flatMap((operation) =>
  [operation.http.path, ...(operation.http.aliases ?? [])].map((path) => ({
    operation,
    pattern: new RegExp(`/work${path.replaceAll(/:[a-z_]+/g, '[^/]+')}$`),
  })),
)
const validators = new Map<Operation, Validator>()

/** The operation behind a request, if any. */
const operationOf = (method: string, path: string): Operation | undefined =>
  routes.find((route) => route.operation.http.method === method && route.pattern.test(path))?.operation

/** Throws when the body of a 2xx answer is not what its operation says. */
export async function assertAnswerShape(method: string, url: string, status: number, body: unknown): Promise<void> {
  const operation = operationOf(method, new URL(url).pathname)
  if (!operation || status >= 300) return
  let validator = validators.get(operation)
  if (!validator) validators.set(operation, (validator = compileSchema(operation.output)))
  const errors = await validator.validate(body)
  if (errors.length > 0)
    throw new Error(
      `the answer of ${operation.name} does not match its output schema: ${errors.map((e) => `${e.field}: ${e.message}`).join('; ')}`,
    )
}
