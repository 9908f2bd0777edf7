/** What, with the input, makes a request the same request at every door: an idempotency key used at one door replays at another. */
import type { Operation } from './operation.ts'

/** The `:name` segments of a path. */
export function paramsOf(path: string): string[] {
  return path
    .split('/')
    .filter((step) => step.startsWith(':'))
    .map((step) => step.slice(1))
}

/** An id that is no text is refused later; until then it only has to differ from others. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

/** Method and canonical path of an operation, its ids filled in from `values` when called. */
export function requestSource(operation: Operation): (values: Readonly<Record<string, unknown>>) => string {
  const { method, path } = operation.http
  const steps = path.split('/').slice(1)
  return (values) =>
    `${method} /${steps.map((step) => (step.startsWith(':') ? encodeURIComponent(textOf(values[step.slice(1)])) : step)).join('/')}`
}
