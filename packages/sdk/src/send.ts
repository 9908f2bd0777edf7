/** One attempt of one call: a request out, an answer or an error back. Knows nothing of repeats. */
import type { Answer } from './call-options.ts'
import { WorkManagerConnectionError, WorkManagerError } from './errors.ts'
import type { Route } from './generated/client.ts'

export interface Transport {
  readonly base: string
  readonly headers: Readonly<Record<string, string>>
  readonly fetch: typeof globalThis.fetch
}

export interface Request {
  readonly route: Route
  readonly input: Readonly<Record<string, unknown>>
  readonly idempotencyKey: string | null
  readonly traceparent: string | null
  readonly correlationId: string | null
  readonly sessionKey: string | null
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number
}

/** Rejects with WorkManagerError, WorkManagerConnectionError, the reason of the signal, or TypeError for input that cannot be sent. */
export async function sendOnce(transport: Transport, request: Request): Promise<Answer<unknown>> {
  const { route, idempotencyKey, traceparent, correlationId, sessionKey, signal, timeoutMs } = request
  const about = { operation: route.operation, idempotencyKey }
  const { path, rest } = fillPath(route, request.input)
  const isRead = route.method === 'GET'
  const target = `${transport.base}${path}${isRead ? queryOf(rest) : ''}`
  // Made before anything is sent: a value that is no JSON is the caller's mistake, not a broken connection.
  const body = isRead ? null : JSON.stringify(rest)
  const headers = {
    ...transport.headers,
    ...(body !== null && { 'content-type': 'application/json' }),
    ...(idempotencyKey !== null && { 'idempotency-key': idempotencyKey }),
    ...(traceparent !== null && { traceparent }),
    ...(correlationId !== null && { 'x-correlation-id': correlationId }),
    ...(sessionKey !== null && { 'x-session-key': sessionKey }),
  }

  const ending = new AbortController()
  const abort = (): void => ending.abort(signal!.reason)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    ending.abort()
  }, timeoutMs)
  let response: Response
  let text: string
  try {
    response = await transport.fetch(target, { method: route.method, headers, body, redirect: 'manual', signal: ending.signal })
    text = await response.text()
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    if (isLate)
      throw new WorkManagerConnectionError(
        'timeout',
        `${transport.base} did not answer ${route.operation} within ${timeoutMs} ms.`,
        about,
        { cause },
      )
    const because = reasonOf(cause)
    throw new WorkManagerConnectionError(
      'unreachable',
      `No answer from ${transport.base} to ${route.operation} (${because}).`,
      { ...about, because },
      { cause },
    )
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
  return readAnswer(response, text, transport.base, about)
}

function readAnswer(
  response: Response,
  text: string,
  base: string,
  about: { operation: string; idempotencyKey: string | null },
): Answer<unknown> {
  const { status, headers } = response
  const answer = /^application\/(?:problem\+)?json\b/.test(headers.get('content-type') ?? '') ? parse(text) : undefined
  const isObject = typeof answer === 'object' && answer !== null
  const requestId = headers.get('x-request-id')
  if (response.ok && isObject) return { output: answer, status, isReplayed: headers.get('idempotent-replayed') === 'true', requestId }
  if (!response.ok && isObject && 'code' in answer && typeof answer.code === 'string')
    throw new WorkManagerError({
      ...about,
      status,
      problem: answer,
      requestId,
      retryAfterMs: retryAfterMs(headers.get('retry-after')),
    })
  const location = headers.get('location')
  const by = headers.get('server') ?? headers.get('x-powered-by') ?? headers.get('content-type') ?? 'no content type'
  const foreign = { ...about, answer: { status, location, by } }
  if (status === 429 || (status >= 502 && status <= 504))
    throw new WorkManagerConnectionError(
      'unavailable',
      `Something before the server at ${base} answered ${about.operation} with status ${status}.`,
      foreign,
    )
  throw new WorkManagerConnectionError(
    'not_work_manager',
    `What answers at ${base} is not Work Manager (status ${status}${location === null ? '' : `, redirects to ${location}`}). Check the url.`,
    foreign,
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** Seconds or an HTTP date. */
function retryAfterMs(value: string | null): number | null {
  if (value === null) return null
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : null
}

/** `/items/{item}/submit` and the input → the path, and the members that did not go into it. */
function fillPath({ operation, path }: Route, input: Readonly<Record<string, unknown>>): { path: string; rest: Record<string, unknown> } {
  const rest = { ...input }
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = rest[name]
    delete rest[name]
    // Dots alone would name another path: URL parsing resolves them even when they are escaped.
    if (typeof value !== 'string' || /^\.{0,2}$/.test(value))
      throw new TypeError(`${operation}: ${name} must be a string that is not empty, not ${JSON.stringify(value)}.`)
    return encodeURIComponent(value)
  })
  return { path: filled, rest }
}

/** `{ filter: { state: 'queued' }, limit: 5 }` → `?filter[state]=queued&limit=5`; lists are joined with commas. */
function queryOf(input: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams()
  const put = (name: string, value: unknown): void => {
    if (value === undefined || value === null) return
    if (Array.isArray(value)) query.set(name, value.join(','))
    else if (typeof value === 'object') for (const [member, inner] of Object.entries(value)) put(`${name}[${member}]`, inner)
    else query.set(name, `${value as string | number | boolean}`)
  }
  for (const [name, value] of Object.entries(input)) put(name, value)
  return query.size === 0 ? '' : `?${query}`
}

/** The innermost cause: fetch says only that it failed. */
function reasonOf(error: unknown): string {
  const { cause, code, message } = error as { cause?: unknown; code?: string; message?: string }
  return cause === undefined ? (code ?? message ?? String(error)) : reasonOf(cause)
}
