/** The command line's way to a server: Node's fetch, one base address, one key, every failure explained. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { CliError, exitOfStatus } from './cli-error.ts'
import { inertLine } from '../log/inert-text.ts'

export interface ApiTarget {
  /** Base of the work routes, such as http://127.0.0.1:7420/api/work. */
  readonly base: string
  readonly key: string
  /** Where the key comes from, for messages; never the key. */
  readonly keyFrom: string
  readonly signal: AbortSignal
  readonly timeoutMs?: number
  /** The trace that the command belongs to (TRACEPARENT, as other command-line tools read it). */
  readonly traceparent?: string | null
}

export interface ApiAnswer<T> {
  readonly status: number
  readonly body: T
}

export interface PostOptions {
  readonly idempotencyKey?: string | undefined
  readonly timeoutMs?: number
}

/** A person at a terminal waits this long for a limit, and so often, not longer. */
const longestWaitMs = 30_000
const mostRepeats = 5

type Query = Readonly<Record<string, string | number | undefined>>

export class ApiClient {
  readonly #target: ApiTarget
  constructor(target: ApiTarget) {
    this.#target = target
  }

  get base(): string {
    return this.#target.base
  }

  async get<T>(path: string, query: Query = {}): Promise<T> {
    const parameters = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    )
    const search = parameters.length === 0 ? '' : `?${new URLSearchParams(parameters).toString()}`
    return (await this.#send<T>('GET', `${path}${search}`)).body
  }

  /** Sends a new idempotency key unless one is given. */
  async post<T>(path: string, body: unknown, options: PostOptions = {}): Promise<ApiAnswer<T>> {
    return this.#send<T>('POST', path, body, options)
  }

  /**
   * One request; when the server says that it was one too many, again after the time it names. Refuses with: unreachable, timeout,
   * not_work_manager (exit 7), or what the server said, by status.
   */
  async #send<T>(method: string, path: string, body?: unknown, options: PostOptions = {}, repeats = mostRepeats): Promise<ApiAnswer<T>> {
    const { base, key, signal, traceparent } = this.#target
    const timeoutMs = options.timeoutMs ?? this.#target.timeoutMs ?? 30_000
    const idempotencyKey = options.idempotencyKey ?? randomUUID()
    const timeout = AbortSignal.timeout(timeoutMs)
    let response: Response
    let text: string
    try {
      response = await fetch(`${base}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          accept: 'application/json',
          ...(traceparent ? { traceparent } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': idempotencyKey }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        // A redirect could carry the key to another host, or turn a POST into a GET.
        redirect: 'manual',
        signal: AbortSignal.any([signal, timeout]),
      })
      text = await response.text()
    } catch (cause) {
      throw unreachable(base, cause, signal, timeout, timeoutMs)
    }
    const waitMs = response.status === 429 ? Number(response.headers.get('retry-after')) * 1000 : Number.NaN
    if (waitMs > 0 && waitMs <= longestWaitMs && repeats > 0) {
      await pause(waitMs, undefined, { signal }).catch((cause: unknown) => {
        throw unreachable(base, cause, signal, timeout, timeoutMs)
      })
      return this.#send<T>(method, path, body, { ...options, idempotencyKey }, repeats - 1)
    }
    return { status: response.status, body: judge(response, text, this.#target) as T }
  }
}

function unreachable(base: string, cause: unknown, signal: AbortSignal, timeout: AbortSignal, timeoutMs: number): CliError {
  if (signal.aborted)
    return new CliError(
      'interrupted',
      'interrupted',
      'Interrupted before the server answered.',
      'If this was a change, look at the order before you repeat it.',
      { cause },
    )
  if (timeout.aborted)
    return new CliError(
      'unreachable',
      'timeout',
      `${base} did not answer within ${timeoutMs / 1000} s.`,
      'Look at the server’s log; reading /readyz says what it waits for.',
      { cause },
    )
  const reason = reasonOf(cause)
  return new CliError(
    'unreachable',
    'unreachable',
    `No server answers at ${base} (${reason}).`,
    'Start one here with `npx work-manager start`, or name another with --url or WORK_MANAGER_URL.',
    { cause },
  )
}

function reasonOf(error: unknown): string {
  const { cause, code, message } = error as { cause?: unknown; code?: string; message?: string }
  return cause === undefined ? (code ?? message ?? String(error)) : reasonOf(cause)
}

function judge(response: Response, text: string, target: ApiTarget): unknown {
  if (response.status >= 300 && response.status < 400) {
    throw new CliError(
      'unreachable',
      'redirected',
      `${target.base} redirects to ${response.headers.get('location') ?? 'somewhere else'}.`,
      'Name the final address with --url.',
    )
  }
  const body = parse(response, text)
  if (response.ok && body !== undefined) return body
  const problem = body as { code?: unknown; detail?: unknown; fix?: unknown; request_id?: unknown; errors?: unknown } | undefined
  if (problem === undefined || typeof problem.code !== 'string' || typeof problem.detail !== 'string')
    throw notWorkManager(response, target.base)
  const fix = typeof problem.fix === 'string' ? problem.fix : ''
  const where = response.status === 401 ? ` (key from ${target.keyFrom})` : ''
  throw new CliError(exitOfStatus(response.status), problem.code, `${problem.detail}${where}${sentences(problem.errors)}`, fix, {
    members: problem,
  })
}

function parse(response: Response, text: string): unknown {
  if (!/^application\/(problem\+)?json\b/.test(response.headers.get('content-type') ?? '')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** The refusal's list of what is wrong, one line each. It comes as a list or as field → sentences. */
function sentences(errors: unknown): string {
  if (typeof errors !== 'object' || errors === null) return ''
  const lines = Array.isArray(errors)
    ? errors.map(sentence)
    : Object.entries(errors).flatMap(([field, all]) => [all].flat().map((message) => sentence({ field, message })))
  return lines.map((line) => `\n  - ${inertLine(line)}`).join('')
}

function sentence(error: unknown): string {
  const { field, message } = error as { field?: unknown; message?: unknown }
  if (typeof message !== 'string') return JSON.stringify(error)
  return typeof field === 'string' && field !== '' ? `${field}: ${message}` : message
}

function notWorkManager(response: Response, base: string): CliError {
  const what =
    response.headers.get('server') ?? response.headers.get('x-powered-by') ?? response.headers.get('content-type') ?? 'no content type'
  return new CliError(
    'unreachable',
    'not_work_manager',
    `What answers at ${base} is not Work Manager: status ${response.status}, ${inertLine(what)}.`,
    'Correct --url or WORK_MANAGER_URL; a proxy in between may answer in its place.',
  )
}
