import { PgBoss } from 'pg-boss'
import { jobData, type Peer } from './peer.ts'

const queue = 'bench'
/** As many as a server of ours opens by default. */
const connections = 24

export async function openPgBoss(connectionString: string): Promise<Peer> {
  const boss = new PgBoss({ connectionString, max: connections })
  boss.on('error', (error) => console.error(`pg-boss: ${error.message}`))
  await boss.start()
  await boss.createQueue(queue, { expireInSeconds: 600, heartbeatSeconds: 600 })
  return {
    async fill(count) {
      for (let from = 0; from < count; from += 1000)
        await boss.insert(
          queue,
          Array.from({ length: Math.min(1000, count - from) }, (_, n) => ({ data: jobData(from + n) })),
        )
    },
    send: async (data) => (await boss.send(queue, data))!,
    async claim() {
      const [job] = await boss.fetch<{ number: number }>(queue)
      return job ?? null
    },
    touch: async (id) => void (await boss.touch(queue, id)),
    complete: async (id, result) => void (await boss.complete(queue, id, result)),
    close: () => boss.stop({ graceful: false }),
  }
}
