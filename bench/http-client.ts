/** Agents, proposers, reviewers and readers that talk HTTP, as the scenarios need them. */
import { randomUUID } from 'node:crypto'
import { benchType, itemsPerOrder, resultFor } from './order-types/bench-echo.ts'
import { HttpConnection, type HttpAnswer } from './http-connection.ts'
import type { Client } from './measure.ts'
import type { ServerHandle } from './server-handle.ts'

interface Leased {
  readonly id: string
  readonly lease_token: string
  readonly input: { readonly number: number }
}

export function expectStatus(answer: HttpAnswer, status: number, what: string): HttpAnswer {
  if (answer.status !== status) throw new Error(`${what} answered ${answer.status}: ${answer.body.slice(0, 300)}`)
  return answer
}

const connect = (server: ServerHandle, key: string) => HttpConnection.open(new URL(server.url), key)

async function checkOut(connection: HttpConnection): Promise<Leased> {
  const { body } = expectStatus(await connection.post('/api/work/checkout', '{}'), 200, 'checkout')
  return (JSON.parse(body) as { item: Leased }).item
}
const beat = (connection: HttpConnection, { id, lease_token }: Leased) =>
  connection.post(`/api/work/items/${id}/heartbeat`, `{"lease_token":"${lease_token}"}`)
const submit = (connection: HttpConnection, { id, lease_token, input }: Leased) =>
  connection.post(`/api/work/items/${id}/submit`, JSON.stringify({ lease_token, result: resultFor(input) }), randomUUID())

/** Checkout, heartbeat, submit. `acknowledged` is told each item whose submit was answered with 202. */
export async function openLeaseCycler(server: ServerHandle, key: string, acknowledged?: (itemId: string) => void): Promise<Client> {
  const connection = await connect(server, key)
  return {
    async step(timed) {
      const item = await timed('checkout', () => checkOut(connection))
      expectStatus(await timed('heartbeat', () => beat(connection, item)), 200, 'heartbeat')
      expectStatus(await timed('submit', () => submit(connection, item)), 202, 'submit')
      acknowledged?.(item.id)
    },
    close: () => connection.close(),
  }
}

/** Holds one item and only extends its lease. */
export async function openHeartbeater(server: ServerHandle, key: string): Promise<Client> {
  const connection = await connect(server, key)
  const item = await checkOut(connection)
  // The first one changes the state of the item; every later one only extends.
  expectStatus(await beat(connection, item), 200, 'heartbeat')
  return {
    async step(timed) {
      expectStatus(await timed('heartbeat', () => beat(connection, item)), 200, 'heartbeat')
    },
    async close() {
      await submit(connection, item).catch(() => {})
      connection.close()
    },
  }
}

/** Proposes orders of one item. */
export async function openProposer(server: ServerHandle): Promise<Client> {
  const connection = await connect(server, server.proposer)
  return {
    async step(timed) {
      await timed('propose', () => propose(connection, 1))
    },
    close: () => connection.close(),
  }
}

/** Approves the orders of the list, one after the other; each answer says that the order was applied. */
export async function openApprover(server: ServerHandle, orders: string[]): Promise<Client> {
  const connection = await connect(server, server.reviewer)
  return {
    async step(timed) {
      const order = orders.pop()
      if (order === undefined) throw new Error('there is no order left to approve')
      const answer = await timed('approve', () => connection.post(`/api/work/orders/${order}/approve`, '{}', randomUUID()))
      expectStatus(answer, 200, 'approve')
    },
    close: () => connection.close(),
  }
}

/** Reads: `path` says what to read next. */
export async function openReader(server: ServerHandle, path: () => string): Promise<Client> {
  const connection = await connect(server, server.reviewer)
  return {
    async step(timed) {
      const target = path()
      expectStatus(await timed('read', () => connection.get(target)), 200, target)
    },
    close: () => connection.close(),
  }
}

async function propose(connection: HttpConnection, count: number, type = benchType): Promise<string> {
  const body = JSON.stringify({ type, payload: { count } })
  const answer = expectStatus(await connection.post('/api/work/propose', body, randomUUID()), 201, 'propose')
  return (JSON.parse(answer.body) as { order: { id: string } }).order.id
}

interface FillOptions {
  readonly perOrder?: number
  readonly types?: readonly string[]
  /** The key to propose with, of whatever tenant. */
  readonly proposer?: string
  readonly connections?: number
}

/** Proposes orders until at least `items` more items are ready, and returns their ids. Not measured. */
export async function fillQueue(
  server: ServerHandle,
  items: number,
  { perOrder = itemsPerOrder, types = [benchType], proposer = server.proposer, connections = 8 }: FillOptions = {},
): Promise<string[]> {
  const orders: string[] = []
  let left = Math.ceil(items / perOrder)
  const work = async (): Promise<void> => {
    const connection = await connect(server, proposer)
    while (left-- > 0) orders.push(await propose(connection, perOrder, types[orders.length % types.length]))
    connection.close()
  }
  await Promise.all(Array.from({ length: connections }, work))
  return orders
}

/** Orders of one item each, handed in and waiting for approval. */
export async function submittedOrders(server: ServerHandle, count: number): Promise<string[]> {
  const orders = await fillQueue(server, count, { perOrder: 1 })
  const waiting = [...orders]
  await Promise.all(
    server.agents.slice(0, 32).map(async ({ key }) => {
      const connection = await connect(server, key)
      for (let order = waiting.pop(); order !== undefined; order = waiting.pop()) {
        const { body } = expectStatus(await connection.post(`/api/work/orders/${order}/checkout`, '{}'), 200, 'checkout')
        expectStatus(await submit(connection, (JSON.parse(body) as { item: Leased }).item), 202, 'submit')
      }
      connection.close()
    }),
  )
  return orders
}
