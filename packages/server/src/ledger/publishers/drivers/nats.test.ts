import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNats, type TestNats } from '../../../../testing/peers/nats-server.ts'
import { publisherContract, type Rig } from '../../../../testing/publisher-contract.ts'
import { someSettings } from '../../../../testing/publisher-stage.ts'
import { isInstalled } from '../../../../testing/peers/redis-server.ts'
import { natsPublisher } from './nats.ts'

/** Everything that the stream holds, in its order. */
async function readStream(url: string, stream: string): Promise<string[]> {
  const { host, username, password } = new URL(url)
  const connection = await connect({ servers: host, ...(username ? { user: username, pass: password } : {}) })
  try {
    const manager = await jetstreamManager(connection)
    const { state } = await manager.streams.info(stream).catch(() => ({ state: { first_seq: 1, last_seq: 0 } }))
    const texts: string[] = []
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) texts.push((await manager.streams.getMessage(stream, { seq }))!.string())
    return texts
  } finally {
    await connection.close()
  }
}

describe.skipIf(!(await isInstalled('nats-server')))('nats', () => {
  publisherContract({ refusedBytes: 70_000, deduplicates: true, asksWho: true, goesAway: true }, async (): Promise<Rig> => {
    const server = await startTestNats({ user: 'wm', password: 'right', maxPayload: 65_536 })
    const settings = { ...someSettings, nats: { url: server.url, subject: 'wm', stream: 'WM', createStream: true } }
    return {
      driver: 'nats',
      settings,
      wrongCredentials: {
        driver: 'nats',
        settings: { ...settings, nats: { ...settings.nats, url: server.url.replace('right', 'wrong') } },
      },
      received: () => readStream(server.url, 'WM'),
      kill: server.kill,
      start: server.start,
      stop: server.stop,
    }
  })

  describe('a server without the stream', () => {
    let server: TestNats
    beforeAll(async () => {
      server = await startTestNats()
    })
    afterAll(() => server.stop())

    it('is told as such, with both cures', async () => {
      const publisher = natsPublisher({ ...someSettings, nats: { url: server.url, subject: 'wm', stream: 'MISSING', createStream: false } })
      await expect(publisher.open()).rejects.toMatchObject({
        code: 'misconfigured',
        message: 'the stream MISSING does not exist; create it with the subjects wm.> or set publishers.nats_create_stream',
      })
      await publisher.close()
    })

    it('of the subject parks nothing: the message is not to blame', async () => {
      const made = natsPublisher({ ...someSettings, nats: { url: server.url, subject: 'one', stream: 'ONE', createStream: true } })
      await made.open()
      await made.close()
      const publisher = natsPublisher({ ...someSettings, nats: { url: server.url, subject: 'two', stream: 'ONE', createStream: true } })
      await publisher.open()
      expect(
        await publisher.publish([{ tenantId: 't', seq: 1, id: 'i', kind: 'order.stale', type: 't', key: 'k', body: '{}' }]),
      ).toMatchObject([{ is: 'failed', error: { code: 'misconfigured', message: 'no JetStream stream takes the subject' } }])
      await publisher.close()
    })
  })
})
