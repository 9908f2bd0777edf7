import { startChild, type Child } from '../child-process.ts'
import { expectStatus } from '../http-client.ts'
import { HttpConnection } from '../http-connection.ts'
import { type Client, measure, withClients } from '../measure.ts'
import { resultFor } from '../order-types/bench-echo.ts'
import type { PeerName } from '../peers/peer.ts'
import type { Bench, Row, Scenario } from '../suite.ts'

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

async function cycles(bench: Bench, child: Child, connection: string, series: string, what: string): Promise<Row[]> {
  const { url } = await child.message<{ url: string }>('ready')
  const { quick, seconds } = bench.options
  const rows: Row[] = []
  for (const clients of bench.clientCounts([8, 32, 128])) {
    await withClients(
      Array.from({ length: clients }, () => openClient(url)),
      async (opened) => {
        const warmUp = quick ? clients : 1000
        await child.message('filled', { fill: warmUp })
        const { perSecond } = await measure(opened, { seconds: Infinity, most: warmUp })
        const most = Math.ceil(perSecond * seconds * 1.6)
        await child.message('filled', { fill: most })
        const measured = await bench.measure(opened, { seconds, most }, await bench.spendersOfPeer(child, connection))
        rows.push({ ...measured, scenario: 'peers-http', series, what, unit: 'cycle', notes: {} })
      },
    )
  }
  return rows
}

export const peersHttp: Scenario = {
  name: 'peers-http',
  about:
    'Other queues behind a minimal HTTP server, same three requests and load generator: without keys, checks, idempotency, tenants and audit, which our rows include.',
  async run(bench) {
    await bench.stopServer()
    const rows: Row[] = []
    const peer = async (name: PeerName, connection: string, series: string, what: string) => {
      const child = startChild('peers/peer-server.ts', [name, connection])
      try {
        rows.push(...(await cycles(bench, child, connection, series, what)))
      } finally {
        await child.stop()
      }
    }
    const { adminUrl } = await bench.database.create('bench_peer_pg_boss_http')
    await peer('pg-boss', adminUrl, 'http pg-boss', 'pg-boss behind HTTP')
    for (const kind of ['always', 'everysec'] as const) {
      const url = await bench.redisUrl(kind)
      if (url !== null) await peer('bullmq', url, `http bullmq ${kind}`, `BullMQ behind HTTP, appendfsync ${kind}`)
    }
    return rows
  },
}
