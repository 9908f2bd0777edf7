import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publisherContract, type Rig } from '../../../../testing/publisher-contract.ts'
import { someSettings } from '../../../../testing/publisher-stage.ts'
import { isInstalled, startTestRedis, type TestRedis } from '../../../../testing/peers/redis-server.ts'
import type { Message } from '../publisher.ts'
import { redisStreamsPublisher } from './redis-streams.ts'

describe.skipIf(!(await isInstalled('redis-server')))('redis-streams', () => {
  publisherContract({ asksWho: true, goesAway: true }, async (): Promise<Rig> => {
    const server = await startTestRedis({ appendonly: 'yes', appendfsync: 'always' })
    const settings = { ...someSettings, redis: { url: server.url, stream: 'events' } }
    return {
      driver: 'redis-streams',
      settings,
      wrongCredentials: {
        driver: 'redis-streams',
        settings: { ...settings, redis: { ...settings.redis, url: server.url.replace('//', '//somebody:wrong@') } },
      },
      received: async () => ((await server.client.xRange('events', '-', '+')) ?? []).map((entry) => String(entry.message.event)),
      kill: server.kill,
      start: server.start,
      stop: server.stop,
    }
  })

  describe('a Redis that is not fit', () => {
    let server: TestRedis
    beforeAll(async () => {
      server = await startTestRedis({ maxmemory: '100mb' })
    })
    afterAll(() => server.stop())
    const publisher = () => redisStreamsPublisher({ ...someSettings, redis: { url: server.url, stream: 'events' } })
    const message: Message = { tenantId: 't', seq: 1, id: 'i', kind: 'order.stale', type: 't', key: 'k', body: '{}' }

    it('because it evicts, is refused with the cure', async () => {
      await server.client.configSet('maxmemory-policy', 'allkeys-lru')
      const unfit = publisher()
      await expect(unfit.open()).rejects.toMatchObject({ code: 'misconfigured', message: expect.stringMatching(/allkeys-lru.*noeviction/) })
      await unfit.close()
      await server.client.configSet('maxmemory-policy', 'noeviction')
      const fit = publisher()
      await fit.open()
      await fit.close()
    })

    it('because the key is something else, parks nothing and says so', async () => {
      await server.client.set('events', 'a text')
      const one = publisher()
      await one.open()
      expect(await one.publish([message])).toMatchObject([{ is: 'failed', error: { code: 'misconfigured' } }])
      await one.close()
      await server.client.del('events')
    })

    it('because it is full, takes all of a batch later or nothing of it now', async () => {
      const one = publisher()
      await one.open()
      await server.client.configSet('maxmemory', '1mb')
      expect(await one.publish([message, message])).toMatchObject([
        { is: 'failed' },
        { is: 'failed', error: { message: 'Redis is out of memory' } },
      ])
      expect(await server.client.exists('events')).toBe(0)
      await server.client.configSet('maxmemory', '0')
      expect(await one.publish([message, message])).toMatchObject([{ is: 'delivered' }, { is: 'delivered' }])
      await one.close()
    })
  })
})
