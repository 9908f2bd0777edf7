/** The typed client: one method per operation, made from the generated table of routes. Only fetch, AbortSignal and crypto are needed. */
import type { Answer, KeyedCallOptions, RetryPolicy } from './call-options.ts'
import { basePath, type OperationMethods, routes, type Route } from './generated/client.ts'
import type { InputOf, OperationName, OutputOf } from './operation-types.ts'
import { retryBounds, waitBeforeRepeat } from './retry.ts'
import { pause } from './pause.ts'
import { sendOnce, type Transport } from './send.ts'

/** Who is calling, for the record. An agent's own key already says its id; the rest is believed as claimed. */
export interface AgentIdentity {
  readonly id?: string
  readonly name?: string
  readonly version?: string
  readonly model?: string
}

export interface ClientOptions {
  /** Where the server is, such as http://127.0.0.1:7420. A path replaces /api/work. */
  readonly url: string
  /** A key made with `npx work-manager keys create`. */
  readonly key: string
  readonly agent?: AgentIdentity
  /** Replaces the global fetch. */
  readonly fetch?: typeof globalThis.fetch
  /** When and how often failed calls are repeated; false never. */
  readonly retry?: RetryPolicy | false
}

/** One method per operation, and `call` for those whose name is only known when the program runs. */
export interface WorkManagerClient extends OperationMethods {
  /** Calls an operation by the name that the server knows it by, and gives the answer with its status. Rejects like the methods. */
  call<Name extends OperationName>(operation: Name, input: InputOf<Name>, options?: KeyedCallOptions): Promise<Answer<OutputOf<Name>>>
}

const routeOf: ReadonlyMap<string, Route> = new Map(Object.values(routes).map((route) => [route.operation, route]))

/**
 * A client of one server with one key. Every call rejects with WorkManagerError when the server refuses, and with
 * WorkManagerConnectionError when there is no answer; both after the repeats that make sense. Throws TypeError for options that cannot work.
 */
export function createClient(options: ClientOptions): WorkManagerClient {
  const transport: Transport = {
    base: baseOf(options.url),
    headers: headersOf(options),
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
  }
  const send = (route: Route, input: object, call: KeyedCallOptions = {}) =>
    callOperation(transport, options.retry, route, input as Record<string, unknown>, call)
  const methods = Object.entries(routes).map(([name, route]) => [
    name,
    async (input: object = {}, call?: KeyedCallOptions) => (await send(route, input, call)).output,
  ])
  return {
    ...(Object.fromEntries(methods) as OperationMethods),
    async call<Name extends OperationName>(operation: Name, input: InputOf<Name>, call?: KeyedCallOptions) {
      const route = routeOf.get(operation)
      if (route === undefined) throw new TypeError(`There is no operation ${JSON.stringify(operation)}; docs/operations.md lists them.`)
      return (await send(route, input, call)) as Answer<OutputOf<Name>>
    },
  }
}

async function callOperation(
  transport: Transport,
  policy: RetryPolicy | false | undefined,
  route: Route,
  input: Record<string, unknown>,
  call: KeyedCallOptions,
): Promise<Answer<unknown>> {
  const bounds = retryBounds(policy, call.retry)
  const idempotencyKey = route.takesKey ? (call.idempotencyKey ?? crypto.randomUUID()) : null
  const waitSeconds = typeof input.wait === 'number' ? input.wait : 0
  const { signal, traceparent = null, correlationId = null, sessionKey = null, timeoutMs = 30_000 + waitSeconds * 1000 } = call
  const request = { route, input, idempotencyKey, traceparent, correlationId, sessionKey, signal, timeoutMs }
  const started = performance.now()
  for (let attempt = 1; ; attempt++) {
    call.signal?.throwIfAborted()
    try {
      return await sendOnce(transport, request)
    } catch (error) {
      if (call.signal?.aborted) throw error
      const wait = waitBeforeRepeat(
        { error, attempt, elapsedMs: performance.now() - started, isRepeatable: route.isRepeatable },
        bounds,
        Math.random(),
      )
      if (wait === null) throw error
      await pause(wait, call.signal)
    }
  }
}

function baseOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (!parsed || !/^https?:$/.test(parsed.protocol))
    throw new TypeError(`url must be an http(s) address such as http://127.0.0.1:7420, not ${JSON.stringify(url)}.`)
  const path = parsed.pathname.replace(/\/+$/, '')
  return `${parsed.origin}${path === '' ? basePath : path}`
}

function headersOf({ key, agent = {} }: ClientOptions): Readonly<Record<string, string>> {
  if (typeof key !== 'string' || !/^[\x21-\x7e]+$/.test(key))
    throw new TypeError('key must be a key of the server (wm_…), without spaces; make one with `npx work-manager keys create`.')
  const runtime = /^(?:Node\.js|Deno|Bun)\/[\w.]+/.exec(globalThis.navigator?.userAgent ?? '')?.[0]
  const claims = {
    'x-agent-id': agent.id,
    'x-agent-name': agent.name,
    'x-agent-version': agent.version,
    'x-model-name': agent.model,
    'x-runtime': runtime,
  }
  const headers: Record<string, string> = { authorization: `Bearer ${key}`, accept: 'application/json' }
  for (const [name, value] of Object.entries(claims)) {
    if (value === undefined) continue
    if (!/^[\x20-\x7e]{1,255}$/.test(value))
      throw new TypeError(`agent: ${name} must be 1–255 printable ASCII characters, not ${JSON.stringify(value)}.`)
    headers[name] = value
  }
  return headers
}
