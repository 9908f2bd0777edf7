/** A bench agent that talks HTTP, and the proposer that fills the queue the same way. */
import { randomUUID } from 'node:crypto'
import { benchType, itemsPerOrder, resultFor } from './bench-type.ts'
import { HttpConnection, type HttpAnswer } from './http-connection.ts'
import type { Client } from './measure.ts'
import type { ServerHandle } from './server-handle.ts'

function expectStatus(answer: HttpAnswer, status: number, what: string): HttpAnswer {
  if (answer.status !== status) throw new Error(`${what} answered ${answer.status}: ${answer.body.slice(0, 300)}`)
  return answer
}

export async function openHttpClient(server: ServerHandle, key: string): Promise<Client> {
  const connection = await HttpConnection.open(new URL(server.url), key)
  return {
    async cycle(timed) {
      const checkout = expectStatus(await timed('checkout', () => connection.post('/api/work/checkout', '{}')), 200, 'checkout')
      const { item } = JSON.parse(checkout.body) as { item: { id: string; lease_token: string; input: { number: number } } }
      const heartbeat = await timed('heartbeat', () =>
        connection.post(`/api/work/items/${item.id}/heartbeat`, `{"lease_token":"${item.lease_token}"}`),
      )
      expectStatus(heartbeat, 200, 'heartbeat')
      const body = JSON.stringify({ lease_token: item.lease_token, result: resultFor(item.input) })
      expectStatus(await timed('submit', () => connection.post(`/api/work/items/${item.id}/submit`, body, randomUUID())), 202, 'submit')
    },
    close: () => connection.close(),
  }
}

/** Proposes orders until at least `items` more items are ready, and returns their ids. Not measured. */
export async function fillQueue(server: ServerHandle, items: number): Promise<string[]> {
  const orders: string[] = []
  let left = Math.ceil(items / itemsPerOrder)
  const propose = async (): Promise<void> => {
    const connection = await HttpConnection.open(new URL(server.url), server.proposer)
    while (left-- > 0) {
      const body = JSON.stringify({ type: benchType.type, payload: { count: itemsPerOrder } })
      const answer = expectStatus(await connection.post('/api/work/propose', body, randomUUID()), 201, 'propose')
      orders.push((JSON.parse(answer.body) as { order: { id: string } }).order.id)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: 4 }, propose))
  return orders
}
