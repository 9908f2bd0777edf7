import { setTimeout } from 'node:timers/promises'
import { Logger, run } from 'graphile-worker'
import { type Contender, takeTurns } from '../contenders.ts'
import { withAdmin } from '../database.ts'
import type { Client } from '../measure.ts'
import { resultFor } from '../order-types/bench-echo.ts'
import { openPeer } from '../peers/open-peer.ts'
import type { Peer, PeerName } from '../peers/peer.ts'
import type { Bench, Row, Scenario } from '../suite.ts'

const claimer = (peer: Peer): Client => ({
  async step(timed) {
    const job = await timed('claim', () => peer.claim())
    if (job === null) throw new Error('there is no job left')
    await timed('complete', () => peer.complete(job.id, resultFor(job.data)))
  },
  close() {},
})

async function byHand(bench: Bench, name: PeerName, url: string, series: string, what: string): Promise<Row[]> {
  const peer = await openPeer(name, url)
  try {
    const contender: Contender = {
      scenario: 'peers',
      series,
      what,
      unit: 'job',
      engine: peer,
      spenders: await bench.spendersOfPeer(null, url),
      open: (clients) => Array.from({ length: clients }, async () => claimer(peer)),
      fill: (steps) => peer.fill(steps),
    }
    const rows: Row[] = []
    for (const clients of bench.clientCounts([32])) rows.push(...(await takeTurns(bench, [contender], clients, 1)))
    return rows
  } finally {
    await peer.close()
  }
}

/** As many as it could do on a fast machine: what is left when the time is over goes with its database. */
const jobsPerSecond = 4000

/** graphile-worker runs tasks by itself: jobs are put in, and those count that run after the warm-up, until the time is over. */
async function graphileWorker(bench: Bench, connectionString: string): Promise<Row[]> {
  const { seconds, warmUpSeconds } = bench.options
  const logger = new Logger(() => (level, message) => {
    if (level === 'error') console.error(`graphile-worker: ${message}`)
  })
  const rows: Row[] = []
  for (const clients of bench.clientCounts([32])) {
    const jobs = Math.ceil(jobsPerSecond * (seconds + warmUpSeconds))
    let done = 0
    const first = Promise.withResolvers<void>()
    const all = Promise.withResolvers<void>()
    const runner = await run({
      connectionString,
      concurrency: clients,
      maxPoolSize: Math.min(clients, 24),
      noHandleSignals: true,
      logger,
      taskList: {
        async bench() {
          if (++done === 1) first.resolve()
          if (done === jobs) all.resolve()
        },
      },
    })
    const addJobs = `select graphile_worker.add_job('bench', json_build_object('number', n)) from generate_series(1, ${jobs}) n`
    await withAdmin(connectionString, (client) => client.query(addJobs))
    await first.promise
    await setTimeout(warmUpSeconds * 1000)
    const metering = await bench.meter.start(await bench.spendersOfPeer(null, connectionString))
    const begin = { at: performance.now(), done }
    await Promise.race([all.promise, setTimeout(seconds * 1000)])
    const steps = done - begin.done
    const took = (performance.now() - begin.at) / 1000
    await metering.stop()
    await runner.stop()
    rows.push({
      scenario: 'peers',
      series: 'graphile-worker',
      what: 'graphile-worker, its own loop',
      unit: 'job',
      clients,
      steps,
      seconds: took,
      perSecond: steps / took,
      latencyMs: {},
      errors: 0,
      errorTexts: [],
      notes: {},
      processor: metering.per(steps),
    })
  }
  return rows
}

export const peers: Scenario = {
  name: 'peers',
  about:
    'Other queues in process, as they are used, on the same PostgreSQL or a Redis with the durability named: one job claimed and completed at a time.',
  async run(bench) {
    await bench.stopServer()
    const rows: Row[] = []
    const { adminUrl: bossUrl } = await bench.database.create('bench_peer_pg_boss')
    rows.push(...(await byHand(bench, 'pg-boss', bossUrl, 'pg-boss', 'pg-boss fetch + complete')))
    const { adminUrl: graphileUrl } = await bench.database.create('bench_peer_graphile')
    rows.push(...(await graphileWorker(bench, graphileUrl)))
    const redisUrl = await bench.redisUrl('always')
    if (redisUrl !== null) rows.push(...(await byHand(bench, 'bullmq', redisUrl, 'bullmq always', 'BullMQ by hand, appendfsync always')))
    return rows
  },
}
