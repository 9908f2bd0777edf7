import { randomUUID } from 'node:crypto'
import { type Job, Queue, Worker } from 'bullmq'
import { createClient } from 'redis'
import { jobData, type Peer } from './peer.ts'

const name = 'bench'
const holdMs = 600_000

/** Jobs are taken by hand, as BullMQ's manual shows under "manually processing jobs". */
export async function openBullMq(url: string): Promise<Peer> {
  const client = createClient({ url })
  client.on('error', (error: Error) => console.error(`BullMQ: ${error.message}`))
  await client.connect()
  // BullMQ takes the client that we have; its type names its own adapters only.
  const connection = client as unknown as NonNullable<ConstructorParameters<typeof Queue>[1]>['connection']
  const queue = new Queue<{ number: number }>(name, { connection, defaultJobOptions: { removeOnComplete: false } })
  const worker = new Worker<{ number: number }>(name, null, { connection, lockDuration: holdMs, stalledInterval: holdMs })
  await worker.waitUntilReady()
  const token = randomUUID()
  const held = new Map<string, Job<{ number: number }>>()
  const jobOf = (id: string): Job<{ number: number }> => {
    const job = held.get(id)
    if (!job) throw new Error(`job ${id} is not held`)
    return job
  }
  return {
    async fill(count) {
      for (let from = 0; from < count; from += 1000)
        await queue.addBulk(Array.from({ length: Math.min(1000, count - from) }, (_, n) => ({ name, data: jobData(from + n) })))
    },
    send: async (data) => (await queue.add(name, data as { number: number })).id!,
    async claim() {
      const job = await worker.getNextJob(token, { block: false })
      if (!job?.id) return null
      held.set(job.id, job)
      return { id: job.id, data: job.data }
    },
    touch: async (id) => void (await jobOf(id).extendLock(token, holdMs)),
    async complete(id, result) {
      await jobOf(id).moveToCompleted(result, token, false)
      held.delete(id)
    },
    async close() {
      await worker.close(true)
      await queue.close()
      client.destroy()
    },
  }
}
