/** SQS and SNS against an emulator that speaks their protocol (fauxqs); never against AWS itself. */
import { createServer } from 'node:http'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type FauxqsServer, startFauxqs } from 'fauxqs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publisherContract, type Rig } from '../../../../testing/publisher-contract.ts'
import { someSettings } from '../../../../testing/publisher-stage.ts'
import { freePort } from '../../../../testing/peers/redis-server.ts'
import { sqsPublisher } from './sqs.ts'

beforeAll(() => {
  process.env.AWS_ACCESS_KEY_ID = 'test'
  process.env.AWS_SECRET_ACCESS_KEY = 'test'
})
const fifo = { FifoQueue: 'true' }

async function emulator() {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'work-manager-aws-'))
  const port = await freePort()
  const open = () => startFauxqs({ port, logger: false, dataDir })
  let server: FauxqsServer | null = await open()
  return {
    endpoint: `http://127.0.0.1:${port}`,
    server: () => server!,
    texts: (queue: string) => {
      const { ready, inflight } = server!.inspectQueue(queue)!.messages
      return [...ready, ...inflight.map(({ message }) => message)].map(({ body }) => body)
    },
    async kill() {
      await server?.stop()
      server = null
    },
    async start() {
      server = await open()
    },
    async stop() {
      await server?.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

describe('sqs', () => {
  publisherContract({ refusedBytes: 270_000, deduplicates: true, goesAway: true }, async (): Promise<Rig> => {
    const { endpoint, server, texts, ...rest } = await emulator()
    const { queueUrl } = server().createQueue('events.fifo', { attributes: fifo })
    return {
      driver: 'sqs',
      settings: { ...someSettings, sqs: { queueUrl }, aws: { region: 'us-east-1', endpoint } },
      received: async () => texts('events.fifo'),
      ...rest,
    }
  })
})

describe('sns', () => {
  publisherContract({ refusedBytes: 270_000, deduplicates: true, goesAway: true }, async (): Promise<Rig> => {
    const { endpoint, server, texts, ...rest } = await emulator()
    server().createQueue('subscriber.fifo', { attributes: fifo })
    const { topicArn } = server().createTopic('events.fifo', { attributes: { FifoTopic: 'true' } })
    server().subscribe({ topic: 'events.fifo', queue: 'subscriber.fifo', attributes: { RawMessageDelivery: 'true' } })
    return {
      driver: 'sns',
      settings: { ...someSettings, sns: { topicArn }, aws: { region: 'us-east-1', endpoint } },
      received: async () => texts('subscriber.fifo'),
      ...rest,
    }
  })
})

describe('AWS', () => {
  let emulated: Awaited<ReturnType<typeof emulator>>
  beforeAll(async () => {
    emulated = await emulator()
  })
  afterAll(() => emulated.stop())

  it('without the queue is told as such', async () => {
    const publisher = sqsPublisher({
      ...someSettings,
      sqs: { queueUrl: `${emulated.endpoint}/000000000000/missing.fifo` },
      aws: { region: 'us-east-1', endpoint: emulated.endpoint },
    })
    await expect(publisher.open()).rejects.toMatchObject({ code: 'misconfigured', message: 'the queue or topic does not exist' })
    await publisher.close()
  })

  it('that refuses the access key is told as such', async () => {
    // The answer of AWS to a key that it does not know; the emulator takes any key.
    const gate = createServer((_, response) => {
      response.writeHead(403, { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-query-error': 'InvalidClientTokenId;Sender' })
      response.end(
        '{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"The security token included in the request is invalid."}',
      )
    }).listen(0, '127.0.0.1')
    await once(gate, 'listening')
    const endpoint = `http://127.0.0.1:${(gate.address() as AddressInfo).port}`
    const publisher = sqsPublisher({
      ...someSettings,
      sqs: { queueUrl: `${endpoint}/000000000000/any.fifo` },
      aws: { region: 'us-east-1', endpoint },
    })
    await expect(publisher.open()).rejects.toMatchObject({ code: 'credentials', message: 'AWS refuses the access key' })
    await publisher.close()
    gate.close()
    gate.closeAllConnections()
  })
})
