/**
 * What the demo asks of a server, through the SDK that every agent in TypeScript can use. Every change carries an idempotency key; what
 * the server calls temporary is repeated with the same key after the time it names.
 */
import {
  type Answer,
  type ApproveOrderOutput,
  createClient,
  type Event,
  isWorkError,
  type LeasedItem as AnyLeasedItem,
  type ListEventsOutput,
  type Order as AnyOrder,
  WorkManagerConnectionError,
  WorkManagerError,
  type WorkManagerClient,
} from '@work-manager/sdk'
import { DemoError } from './demo-error.ts'

export interface Effect {
  readonly name: string
  readonly state: string
  readonly receipt: unknown
  readonly last_error: unknown
}
export type Order = AnyOrder & { readonly effects?: readonly Effect[] }
/** What checkout hands out. */
export type LeasedItem = Pick<
  AnyLeasedItem,
  'id' | 'order_id' | 'input' | 'lease_token' | 'lease_expires_at' | 'heartbeat_every_seconds' | 'attempt'
> & { readonly last_error: { readonly code?: string } | null }

export interface ApiOptions {
  /** Base of the work routes, such as http://127.0.0.1:7420/api/work. */
  readonly base: string
  readonly key: string
  /** Whose key it is, for messages and for the record (X-Agent-Name). */
  readonly who: string
  readonly signal: AbortSignal
}

const timeoutMs = 60_000

/** Refuses with: WorkManagerError, or DemoError when there is no point in going on. */
export class WorkApi {
  readonly #options: ApiOptions
  readonly #client: WorkManagerClient
  constructor(options: ApiOptions) {
    this.#options = options
    this.#client = createClient({
      url: options.base,
      key: options.key,
      agent: { name: options.who },
      // A server that is gone is told at once: it is the one that this terminal runs.
      retry: { on: (error) => error instanceof WorkManagerError },
    })
  }

  propose(order: { type: string; payload: object; meta: object; priority?: number }): Promise<{ order: Order; items_count: number }> {
    return this.#ask((client, options) => client.proposeOrder(order, options))
  }

  async findOrders(filter: Readonly<Record<string, string>>): Promise<readonly Order[]> {
    return (await this.#ask((client, options) => client.listOrders({ sort: '-created_at', filter }, options))).data as readonly Order[]
  }

  async getOrder(id: string): Promise<Order> {
    return (await this.#ask((client, options) => client.getOrder({ order: id }, options))).order
  }

  /** Takes the next item of an order, waiting for one on the server's side; null when the wait ended without any. */
  async checkout(orderId: string, waitSeconds: number, signal: AbortSignal): Promise<LeasedItem | null> {
    try {
      const { item } = await this.#ask(
        (client, options) => client.checkoutOrderItem({ order: orderId, wait: waitSeconds }, options),
        signal,
      )
      return item as LeasedItem
    } catch (error) {
      if (isWorkError(error, 'no_items_available')) return null
      throw error
    }
  }

  async heartbeat({ id: item, lease_token }: LeasedItem, signal: AbortSignal): Promise<void> {
    await this.#ask((client, options) => client.heartbeatItem({ item, lease_token }, options), signal)
  }

  submit({ id: item, lease_token }: LeasedItem, result: object, notes?: string): Promise<{ order_state: string }> {
    return this.#ask((client, options) => client.submitItem({ item, lease_token, result, notes }, options))
  }

  async submitPart({ id: item, lease_token }: LeasedItem, partKey: string, payload: object): Promise<void> {
    await this.#ask((client, options) => client.submitPart({ item, lease_token, part_key: partKey, payload }, options))
  }

  finalize({ id: item, lease_token }: LeasedItem): Promise<{ order_state: string }> {
    return this.#ask((client, options) => client.finalizeItem({ item, lease_token, mode: 'strict' }, options))
  }

  /** Approves exactly `digest`. The same `key` again is the same request again, and gets the same answer. */
  approve(orderId: string, digest: string, key: string): Promise<Answer<ApproveOrderOutput>> {
    return this.#ask((client, options) => client.call('approve_order', { order: orderId, digest }, { ...options, idempotencyKey: key }))
  }

  timeline(orderId: string, after: number): Promise<{ events: readonly Event[]; last_seq: number | null }> {
    return this.#ask((client, options) => client.getOrderTimeline({ order: orderId, limit: 100, after }, options))
  }

  /** The tenant's whole record, newest first. */
  events(cursor: string | null): Promise<ListEventsOutput> {
    return this.#ask((client, options) => client.listEvents({ limit: 100, cursor: cursor ?? undefined }, options))
  }

  /** Every row that applied orders wrote into a collection. */
  async records(collection: string): Promise<readonly unknown[]> {
    const values: unknown[] = []
    let cursor: string | undefined
    do {
      const from = cursor
      const page = await this.#ask((client, options) => client.listRecords({ collection, limit: 100, cursor: from }, options))
      values.push(...(page.data as readonly { value: unknown }[]).map((row) => row.value))
      cursor = page.next_cursor ?? undefined
    } while (cursor !== undefined)
    return values
  }

  async #ask<T>(
    call: (client: WorkManagerClient, options: { signal: AbortSignal; timeoutMs: number }) => Promise<T>,
    until?: AbortSignal,
  ): Promise<T> {
    const signal = until ? AbortSignal.any([until, this.#options.signal]) : this.#options.signal
    try {
      return await call(this.#client, { signal, timeoutMs })
    } catch (error) {
      if (signal.aborted) throw error
      if (error instanceof WorkManagerError && error.status === 401) throw this.#keyRefused(error)
      throw error instanceof WorkManagerConnectionError ? this.#noServer(error) : error
    }
  }

  #noServer(cause: WorkManagerConnectionError): DemoError {
    const { base } = this.#options
    if (cause.reason === 'timeout') return new DemoError('timeout', cause.message, 'Look at the log of the server.', { cause })
    return cause.answer === null
      ? new DemoError(
          'unreachable',
          `No server answers at ${base} (${cause.because}).`,
          'Start one with `npm start`, or name another with --url.',
          { cause },
        )
      : new DemoError(
          'not_work_manager',
          `What answers at ${base} is not Work Manager (status ${cause.answer.status}).`,
          'Name the right address with --url or WORK_MANAGER_URL.',
          { cause },
        )
  }

  #keyRefused(refusal: WorkManagerError): DemoError {
    return new DemoError(
      refusal.code,
      `The server refuses the demo's key for ${this.#options.who}: ${refusal.detail}`,
      'Start the server again with `npm start`: it makes new keys for the demo.',
      { cause: refusal },
    )
  }
}
