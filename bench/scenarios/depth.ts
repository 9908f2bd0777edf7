import { takeTurns } from '../contenders.ts'
import { fillQueue } from '../http-client.ts'
import { cycler } from '../lease-cycles.ts'
import type { Scenario } from '../suite.ts'

const shallow = 2000
const perOrder = 500

export const depth: Scenario = {
  name: 'depth',
  about: 'Lease cycles from a short and from a long queue: what is waiting must not slow down what is taken. A database for each.',
  async run(bench) {
    const { quick, depth: deep } = bench.options
    const counts = { short: quick ? 100 : shallow, long: deep }
    const short = await bench.server({ database: await bench.database.createMigrated('bench_short') })
    const database = await bench.database.createMigrated('bench_long')
    return bench.withServerBeside({ database }, async (long) => {
      const [clients] = bench.clientCounts([32])
      const servers = { short, long }
      const contenders = []
      for (const which of ['short', 'long'] as const) {
        await fillQueue(servers[which], counts[which], { perOrder })
        const what = `${counts[which].toLocaleString('en')} items are waiting`
        contenders.push(await cycler(bench, servers[which], { scenario: 'depth', series: `depth ${which}`, what }))
      }
      return takeTurns(bench, contenders, clients!, 1)
    })
  },
}
