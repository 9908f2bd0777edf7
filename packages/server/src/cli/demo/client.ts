/**
 * A small client of the public HTTP API: Node's fetch and nothing else, as any agent in any language would do it. Every change carries
 * an idempotency key; what the server calls temporary is repeated with the same key after the time it names.
 */
import { randomUUID } from 'node:crypto'
import type { DiffShape, EventShape, FieldError, OrderShape } from '@work-manager/contract'
import type { Static } from 'typebox'
import { DemoError } from './demo-error.ts'
import { pause } from './pause.ts'

export type Event = Static<typeof EventShape>
export type Diff = Static<typeof DiffShape>
export interface Effect {
  readonly name: string
  readonly state: string
  readonly receipt: unknown
  readonly last_error: unknown
}
export type Order = Static<typeof OrderShape> & { readonly effects?: readonly Effect[] }

/** What checkout hands out. */
export interface LeasedItem {
  readonly id: string
  readonly order_id: string
  readonly input: unknown
  readonly lease_token: string
  readonly lease_expires_at: string
  readonly heartbeat_every_seconds: number
  readonly attempt: number
  readonly last_error: { readonly code?: string } | null
}

/** The server said no. The members are those of its problem object. */
export class ApiRefusal extends Error {
  readonly status: number
  readonly code: string
  readonly fix: string
  readonly retry: string
  readonly errors: readonly FieldError[]
  constructor(status: number, problem: Partial<Record<string, unknown>>) {
    const text = (name: string, otherwise: string) => (typeof problem[name] === 'string' ? problem[name] : otherwise)
    super(text('detail', `status ${status}`))
    this.name = 'ApiRefusal'
    this.status = status
    this.code = text('code', 'unknown')
    this.fix = text('fix', '')
    this.retry = text('retry', 'never')
    const listed = problem.error_list ?? problem.errors
    this.errors = Array.isArray(listed) ? (listed as FieldError[]) : []
  }
}

export interface ApiOptions {
  /** Base of the work routes, such as http://127.0.0.1:7420/api/work. */
  readonly base: string
  readonly key: string
  /** Whose key it is, for messages and for the record (X-Agent-Name). */
  readonly who: string
  readonly signal: AbortSignal
}

interface Call {
  readonly key?: string
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

interface Answer<T> {
  readonly body: T
  readonly replayed: boolean
}

const mostRepeats = 6
const longestPauseSeconds = 30

export class WorkApi {
  readonly #options: ApiOptions
  constructor(options: ApiOptions) {
    this.#options = options
  }

  async propose(order: { type: string; payload: object; meta: object; priority?: number }): Promise<{ order: Order; items_count: number }> {
    return (await this.#post<{ order: Order; items_count: number }>('/propose', order)).body
  }

  async findOrders(filter: Readonly<Record<string, string>>): Promise<readonly Order[]> {
    const query = new URLSearchParams({
      sort: '-created_at',
      ...Object.fromEntries(Object.entries(filter).map(([name, value]) => [`filter[${name}]`, value])),
    })
    return (await this.#get<{ data: Order[] }>(`/orders?${query}`)).data
  }

  async getOrder(id: string): Promise<Order> {
    return (await this.#get<{ order: Order }>(`/orders/${id}`)).order
  }

  /** Takes the next item of an order, waiting for one on the server's side; null when the wait ended without any. */
  async checkout(orderId: string, waitSeconds: number, signal: AbortSignal): Promise<LeasedItem | null> {
    try {
      return (
        await this.#post<{ item: LeasedItem }>(
          `/orders/${orderId}/checkout?wait=${waitSeconds}`,
          {},
          { signal, timeoutMs: (waitSeconds + 30) * 1000 },
        )
      ).body.item
    } catch (error) {
      if (error instanceof ApiRefusal && error.code === 'no_items_available') return null
      throw error
    }
  }

  async heartbeat(item: LeasedItem, signal: AbortSignal): Promise<void> {
    await this.#post(`/items/${item.id}/heartbeat`, { lease_token: item.lease_token }, { signal })
  }

  async submit(item: LeasedItem, result: object, notes?: string): Promise<{ order_state: string }> {
    return (
      await this.#post<{ order_state: string }>(`/items/${item.id}/submit`, {
        lease_token: item.lease_token,
        result,
        ...(notes ? { notes } : {}),
      })
    ).body
  }

  async submitPart(item: LeasedItem, partKey: string, payload: object): Promise<void> {
    await this.#post(`/items/${item.id}/parts`, { lease_token: item.lease_token, part_key: partKey, payload })
  }

  async finalize(item: LeasedItem): Promise<{ order_state: string }> {
    return (await this.#post<{ order_state: string }>(`/items/${item.id}/finalize`, { lease_token: item.lease_token, mode: 'strict' })).body
  }

  /** Approves exactly `digest`. The same `key` again is the same request again, and gets the same answer. */
  async approve(orderId: string, digest: string, key: string): Promise<Answer<{ order: Order; diff: Diff | null }>> {
    return this.#post(`/orders/${orderId}/approve`, { digest }, { key })
  }

  async timeline(orderId: string, after: number): Promise<{ events: readonly Event[]; last_seq: number | null }> {
    return this.#get(`/orders/${orderId}/timeline?limit=100&after=${after}`)
  }

  /** The tenant's whole record, newest first. */
  async events(cursor: string | null): Promise<{ events: readonly Event[]; next_cursor: string | null }> {
    return this.#get(`/events?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`)
  }

  /** Every row that applied orders wrote into a collection. */
  async records(collection: string): Promise<readonly unknown[]> {
    const values: unknown[] = []
    let cursor: string | null = null
    do {
      const page: { data: { value: unknown }[]; next_cursor: string | null } = await this.#get(
        `/records/${collection}?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
      )
      values.push(...page.data.map((row) => row.value))
      cursor = page.next_cursor
    } while (cursor !== null)
    return values
  }

  async #get<T>(path: string): Promise<T> {
    return (await this.#send<T>('GET', path, undefined, {})).body
  }

  #post<T>(path: string, body: object, call: Call = {}): Promise<Answer<T>> {
    return this.#send<T>('POST', path, body, call)
  }

  /** One call, repeated while the server calls the refusal temporary. Refuses with: ApiRefusal; DemoError when there is no point in going on. */
  async #send<T>(method: string, path: string, body: object | undefined, call: Call): Promise<Answer<T>> {
    const signal = call.signal ? AbortSignal.any([call.signal, this.#options.signal]) : this.#options.signal
    const headers = {
      authorization: `Bearer ${this.#options.key}`,
      accept: 'application/json',
      'x-agent-name': this.#options.who,
      'x-runtime': `node ${process.versions.node}`,
      ...(body && { 'content-type': 'application/json', 'idempotency-key': call.key ?? randomUUID() }),
    }
    for (let repeats = 0; ; repeats++) {
      const answer = await this.#fetch(
        path,
        { method, headers, body: body ? JSON.stringify(body) : null, redirect: 'manual' },
        signal,
        call.timeoutMs ?? 60_000,
      )
      if (answer.ok) return { body: answer.body as T, replayed: answer.replayed }
      const refusal = new ApiRefusal(answer.status, answer.body)
      if (refusal.status === 401) throw this.#keyRefused(refusal)
      const isTemporary = (refusal.retry === 'later' || refusal.status === 429) && refusal.code !== 'no_items_available'
      if (!isTemporary || repeats >= mostRepeats) throw refusal
      await pause(Math.min(answer.retryAfterSeconds, longestPauseSeconds) * 1000, signal)
      signal.throwIfAborted()
    }
  }

  async #fetch(path: string, init: RequestInit, signal: AbortSignal, timeoutMs: number) {
    const { base } = this.#options
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      const response = await fetch(`${base}${path}`, { ...init, signal: AbortSignal.any([signal, timeout]) })
      const text = await response.text()
      if (!/^application\/(problem\+)?json\b/.test(response.headers.get('content-type') ?? ''))
        throw new DemoError(
          'not_work_manager',
          `What answers at ${base} is not Work Manager (status ${response.status}).`,
          'Name the right address with --url or WORK_MANAGER_URL.',
        )
      return {
        ok: response.ok,
        status: response.status,
        body: JSON.parse(text) as Record<string, unknown>,
        replayed: response.headers.get('idempotent-replayed') === 'true',
        retryAfterSeconds: Number(response.headers.get('retry-after') ?? 1) || 1,
      }
    } catch (cause) {
      if (signal.aborted || cause instanceof DemoError) throw cause
      if (timeout.aborted)
        throw new DemoError('timeout', `${base} did not answer within ${timeoutMs / 1000} s.`, 'Look at the log of the server.', { cause })
      throw new DemoError(
        'unreachable',
        `No server answers at ${base} (${reasonOf(cause)}).`,
        'Start one with `npm start`, or name another with --url.',
        { cause },
      )
    }
  }

  #keyRefused(refusal: ApiRefusal): DemoError {
    return new DemoError(
      refusal.code,
      `The server refuses the demo's key for ${this.#options.who}: ${refusal.message}`,
      'Start the server again with `npm start`: it makes new keys for the demo.',
      { cause: refusal },
    )
  }
}

function reasonOf(error: unknown): string {
  const { cause, code, message } = error as { cause?: unknown; code?: string; message?: string }
  return cause === undefined ? (code ?? message ?? String(error)) : reasonOf(cause)
}
