import { Logger, run } from 'graphile-worker'
import { withAdmin } from '../database.ts'
import { type Client, measure, withClients } from '../measure.ts'
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
  const { quick, seconds } = bench.options
  const rows: Row[] = []
  const peer = await openPeer(name, url)
  try {
    for (const clients of bench.clientCounts([8, 32])) {
      await withClients(
        Array.from({ length: clients }, async () => claimer(peer)),
        async (opened) => {
          const warmUp = quick ? clients : 1000
          await peer.fill(warmUp)
          const { perSecond } = await measure(opened, { seconds: Infinity, most: warmUp })
          const most = Math.ceil(perSecond * seconds * 1.6)
          await peer.fill(most)
          const measured = await bench.measure(opened, { seconds, most }, await bench.spendersOfPeer(null, url))
          rows.push({ ...measured, scenario: 'peers', series, what, unit: 'job', notes: {} })
        },
      )
    }
  } finally {
    await peer.close()
  }
  return rows
}

/** graphile-worker runs tasks by itself: jobs are put in, and the time until the last one has run counts. */
async function graphileWorker(bench: Bench, connectionString: string): Promise<Row[]> {
  const logger = new Logger(() => (level, message) => {
    if (level === 'error') console.error(`graphile-worker: ${message}`)
  })
  const rows: Row[] = []
  for (const clients of bench.clientCounts([8, 32])) {
    const count = bench.options.quick ? 20 : Math.ceil(3000 * bench.options.seconds)
    let done = 0
    const finished = Promise.withResolvers<void>()
    const begin = { at: 0 }
    const addJobs = `select graphile_worker.add_job('bench', json_build_object('number', n)) from generate_series(1, ${count}) n`
    const metering = await bench.meter.start(await bench.spendersOfPeer(null, connectionString))
    const runner = await run({
      connectionString,
      concurrency: clients,
      maxPoolSize: Math.min(clients, 24),
      noHandleSignals: true,
      logger,
      taskList: {
        async bench() {
          if (begin.at === 0) begin.at = performance.now()
          if (++done === count) finished.resolve()
        },
      },
    })
    await withAdmin(connectionString, (client) => client.query(addJobs))
    await finished.promise
    await metering.stop()
    const seconds = (performance.now() - begin.at) / 1000
    await runner.stop()
    rows.push({
      scenario: 'peers',
      series: 'graphile-worker',
      what: 'graphile-worker, its own loop',
      unit: 'job',
      clients,
      steps: count,
      seconds,
      perSecond: count / seconds,
      latencyMs: {},
      errors: 0,
      errorTexts: [],
      notes: {},
      processor: metering.per(count),
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
    for (const kind of ['always', 'everysec'] as const) {
      const url = await bench.redisUrl(kind)
      if (url !== null) rows.push(...(await byHand(bench, 'bullmq', url, `bullmq ${kind}`, `BullMQ by hand, appendfsync ${kind}`)))
    }
    return rows
  },
}
