import amqp from 'amqplib'
import { describe, expect, it } from 'vitest'
import { publisherContract, type Rig } from '../../../../testing/publisher-contract.ts'
import { someSettings } from '../../../../testing/publisher-stage.ts'
import { isRabbitInstalled, startTestRabbit, type TestRabbit } from '../../../../testing/peers/rabbitmq-server.ts'
import type { Message } from '../publisher.ts'
import { rabbitmqPublisher } from './rabbitmq.ts'

/** A durable queue that takes everything; what it holds is looked at and stays. */
async function onQueue<T>(url: string, work: (channel: amqp.Channel) => Promise<T>): Promise<T> {
  const connection = await amqp.connect(url)
  try {
    return await work(await connection.createChannel())
  } finally {
    await connection.close()
  }
}

describe.skipIf(!(await isRabbitInstalled()))('rabbitmq', () => {
  let server: TestRabbit

  publisherContract({ refusedBytes: 70_000, asksWho: true, goesAway: true }, async (): Promise<Rig> => {
    server = await startTestRabbit({ max_message_size: '65536' })
    const settings = { ...someSettings, rabbitmq: { url: server.url, exchange: 'wm', mandatory: true } }
    await onQueue(server.url, async (channel) => {
      await channel.assertExchange('wm', 'topic', { durable: true })
      await channel.assertQueue('all', { durable: true })
      await channel.bindQueue('all', 'wm', '#')
    })
    return {
      driver: 'rabbitmq',
      settings,
      wrongCredentials: {
        driver: 'rabbitmq',
        settings: { ...settings, rabbitmq: { ...settings.rabbitmq, url: server.url.replace('guest:guest', 'guest:wrong') } },
      },
      received: () =>
        onQueue(server.url, async (channel) => {
          const texts: string[] = []
          // Not acknowledged: the messages go back to the queue, in their places, when the connection ends.
          for (let got = await channel.get('all'); got !== false; got = await channel.get('all')) texts.push(got.content.toString())
          return texts
        }),
      kill: server.kill,
      start: server.start,
      stop: server.stop,
    }
  })

  describe('the exchange', () => {
    const message = (kind: string, n = 1): Message => ({
      tenantId: 't',
      seq: n,
      id: `${kind}-${n}`,
      kind,
      type: 't',
      key: `k${n}`,
      body: '{}',
    })
    const publisher = (exchange: string, more = {}) =>
      rabbitmqPublisher({ ...someSettings, rabbitmq: { url: server.url, exchange, mandatory: true, ...more } })

    it('without a queue for a message gives it back: it is refused, its neighbours are not', async () => {
      const one = publisher('routes')
      await one.open()
      await onQueue(server.url, async (channel) => {
        await channel.assertQueue('approved', { durable: true })
        await channel.bindQueue('approved', 'routes', 'order.approved')
      })
      expect(await one.publish([message('order.approved'), message('order.stale', 2), message('order.approved', 3)])).toEqual([
        { is: 'delivered' },
        { is: 'refused', reason: 'no queue takes the routing key order.stale: bind one to the exchange routes' },
        { is: 'delivered' },
      ])
      await one.close()
      const careless = publisher('routes', { mandatory: false })
      await careless.open()
      expect(await careless.publish([message('order.stale')])).toEqual([{ is: 'delivered' }])
      await careless.close()
    })

    it('of another kind is told as such', async () => {
      await onQueue(server.url, (channel) => channel.assertExchange('other', 'fanout', { durable: true }))
      const one = publisher('other')
      await expect(one.open()).rejects.toMatchObject({
        code: 'misconfigured',
        message: 'the exchange exists, but not as a durable topic exchange',
      })
      await one.close()
    })

    it('of a virtual host that does not exist is told as such', async () => {
      const one = publisher('wm', { url: `${server.url}/nowhere` })
      await expect(one.open()).rejects.toMatchObject({ code: 'misconfigured', message: expect.stringMatching(/virtual host/) })
      await one.close()
    })

    it('with a full queue is waited for: nothing is parked', async () => {
      const one = publisher('full')
      await one.open()
      await onQueue(server.url, async (channel) => {
        await channel.assertQueue('full', { durable: true, arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } })
        await channel.bindQueue('full', 'full', '#')
      })
      const outcomes = [
        await one.publish([message('order.stale')]),
        await one.publish([message('order.stale', 2)]),
        await one.publish([message('order.stale', 3)]),
      ]
      expect(outcomes.flat().at(-1)).toMatchObject({ is: 'failed', error: { message: expect.stringMatching(/refuses it/) } })
      await one.close()
    })
  })
})
