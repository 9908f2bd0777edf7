/** The HTTP routes, derived from the list of operations: every path and alias under every mount. */
import { nearestName, WorkError } from '@work-manager/contract'
import type { Operation } from '../../kernel/operations/operation.ts'
import { paramsOf, requestSource } from '../../kernel/operations/request-source.ts'
import { planQuery, type QueryPlan } from './query-string.ts'

export interface Route {
  readonly operation: Operation
  /** Without the mount, as the router takes it: `/orders/:order/approve`. */
  readonly path: string
  readonly params: readonly string[]
  /** Input members that must come in the body: required and not in the path. */
  readonly bodyMembers: readonly string[]
  readonly query: QueryPlan
  readonly writes: boolean
  /** Method and canonical path with ids: the same for a request whichever mount or alias it takes. */
  source(params: Readonly<Record<string, string>>): string
}

/** One route per path and alias of every operation. */
export function routesOf(operations: readonly Operation[]): Route[] {
  return operations.flatMap((operation) =>
    [operation.http.path, ...(operation.http.aliases ?? [])].map((path) => routeFor(operation, path)),
  )
}

function routeFor(operation: Operation, path: string): Route {
  const params = paramsOf(path)
  const required = (operation.input as { required?: readonly string[] }).required ?? []
  return {
    operation,
    path,
    params,
    bodyMembers: required.filter((member) => !params.includes(member)),
    query: planQuery(operation.input),
    writes: operation.http.method !== 'GET',
    source: requestSource(operation),
  }
}

interface KnownPath {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly operation: string
}

/** Answers for requests that no route takes: another method, or a path that does not exist. */
export class UnknownRoutes {
  private readonly known: readonly KnownPath[]
  private readonly mounts: readonly string[]

  constructor(routes: readonly Route[], mounts: readonly string[], others: readonly string[]) {
    this.mounts = mounts
    const mounted = mounts.flatMap((mount) =>
      routes.map(({ path, operation }) => ({ method: operation.http.method, path: mount + path, operation: operation.name })),
    )
    this.known = [...mounted, ...others.map((path) => ({ method: 'GET' as const, path, operation: path.slice(1) }))]
  }

  /** The refusal for `method` on `path`: method_not_allowed or no_such_route. */
  refusal(method: string, path: string): WorkError {
    const trimmed = path.length > 1 ? path.replace(/\/$/, '') : path
    const here = this.known.filter((route) => matches(route.path, trimmed))
    if (here.length > 0) {
      const methods = [...new Set(here.flatMap((route) => (route.method === 'GET' ? ['GET', 'HEAD'] : ['POST'])))]
      const nearest = here[0]!
      return new WorkError('method_not_allowed', {
        detail: `${shown(path)} does not take ${method}.`,
        fix: `Use ${nearest.method} ${nearest.path} (${nearest.operation}).`,
        extra: { allowed: methods, nearest: `${nearest.method} ${nearest.path}` },
      })
    }
    const nearest = this.nearest(trimmed)
    return new WorkError('no_such_route', {
      detail: `There is no route ${method} ${shown(path)}.`,
      ...(nearest && { fix: `Did you mean ${nearest}? See /openapi.json for the list.`, extra: { nearest } }),
    })
  }

  private nearest(path: string): string | null {
    const mount = this.mounts.find((candidate) => path.startsWith(`${candidate}/`)) ?? this.mounts[0] ?? ''
    const inside = path.startsWith(`${mount}/`) ? path.slice(mount.length) : path
    const candidates = this.known
      .filter((route) => route.path.startsWith(`${mount}/`))
      .map((route) => ({ text: filledLike(route.path.slice(mount.length), inside), shown: `${route.method} ${route.path}` }))
    const near = nearestName(
      inside,
      candidates.map((one) => one.text),
    )
    return candidates.find((one) => one.text === near)?.shown ?? null
  }
}

function matches(template: string, path: string): boolean {
  const steps = template.split('/')
  const parts = path.split('/')
  return steps.length === parts.length && steps.every((step, index) => (step.startsWith(':') ? parts[index] !== '' : step === parts[index]))
}

/** The template with the ids of the path in its place holders, so that ids do not count as differences. */
function filledLike(template: string, path: string): string {
  const parts = path.split('/')
  return template
    .split('/')
    .map((step, index) => (step.startsWith(':') ? (parts[index] ?? step) : step))
    .join('/')
}

const shown = (path: string): string => (path.length > 200 ? `${path.slice(0, 200)}…` : path)
