import { startChild, type Child } from '../child-process.ts'
import { type Contender, takeTurns } from '../contenders.ts'
import { expectStatus } from '../http-client.ts'
import { HttpConnection } from '../http-connection.ts'
import { cycler } from '../lease-cycles.ts'
import type { Client } from '../measure.ts'
import { resultFor } from '../order-types/bench-echo.ts'
import type { PeerName } from '../peers/peer.ts'
import type { Bench, Row, Scenario } from '../suite.ts'

const scenario = 'peers-http'
/** Less durable than we are: once is enough. */
const takesTurns = ({ series }: Contender) => series !== 'http bullmq everysec'

async function openClient(url: string): Promise<Client> {
  const connection = await HttpConnection.open(new URL(url), 'none')
  return {
    async step(timed) {
      const claim = expectStatus(await timed('checkout', () => connection.post('/claim', '{}')), 200, 'claim')
      const { id, data } = JSON.parse(claim.body) as { id: string; data: { number: number } }
      expectStatus(await timed('heartbeat', () => connection.post(`/jobs/${id}/touch`, '{}')), 200, 'touch')
      const body = JSON.stringify({ result: resultFor(data) })
      expectStatus(await timed('submit', () => connection.post(`/jobs/${id}/complete`, body)), 200, 'complete')
    },
    close: () => connection.close(),
  }
}

interface Named {
  readonly peer: PeerName
  /** Of its PostgreSQL or Redis. */
  readonly url: string
  readonly series: string
  readonly what: string
}

async function behindHttp(bench: Bench, server: Child, { url, series, what }: Named): Promise<Contender> {
  const ready = await server.message<{ url: string }>('ready')
  return {
    scenario,
    series,
    what,
    unit: 'cycle',
    engine: server,
    spenders: await bench.spendersOfPeer(server, url),
    open: (clients) => Array.from({ length: clients }, () => openClient(ready.url)),
    fill: (steps) => server.message('filled', { fill: steps }),
  }
}

export const peersHttp: Scenario = {
  name: scenario,
  about:
    'Other queues behind a minimal HTTP server, same three requests and load generator: without keys, checks, idempotency, tenants and audit, which our rows include.',
  async run(bench) {
    const { adminUrl } = await bench.database.create('bench_peer_pg_boss_http')
    const peers: Named[] = [{ peer: 'pg-boss', url: adminUrl, series: 'http pg-boss', what: 'pg-boss behind HTTP' }]
    for (const kind of ['always', 'everysec'] as const) {
      const url = await bench.redisUrl(kind)
      if (url !== null) peers.push({ peer: 'bullmq', url, series: `http bullmq ${kind}`, what: `BullMQ behind HTTP, appendfsync ${kind}` })
    }
    const server = await bench.server()
    const children: Child[] = []
    try {
      const theirs: Contender[] = []
      for (const named of peers) {
        const child = startChild('peers/peer-server.ts', [named.peer, named.url])
        children.push(child)
        theirs.push(await behindHttp(bench, child, named))
      }
      const rows: Row[] = []
      for (const clients of bench.clientCounts([32, 128])) {
        const ours = await cycler(bench, server, { scenario, series: 'http ours', what: 'Work Manager' })
        rows.push(...(await takeTurns(bench, [ours, ...theirs.filter(takesTurns)], clients)))
        for (const alone of theirs.filter((one) => !takesTurns(one))) rows.push(...(await takeTurns(bench, [alone], clients, 1)))
      }
      return rows
    } finally {
      for (const child of children) await child.stop()
    }
  },
}
