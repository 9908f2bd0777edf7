import { startChild } from '../child-process.ts'
import { type Contender, takeTurns } from '../contenders.ts'
import { expectStatus, openProposer } from '../http-client.ts'
import { HttpConnection } from '../http-connection.ts'
import type { Client } from '../measure.ts'
import { jobData } from '../peers/peer.ts'
import type { Row, Scenario } from '../suite.ts'

const scenario = 'propose'
/** A queue that is only filled needs no filling. */
const fill = () => Promise.resolve()

async function openSender(url: string): Promise<Client> {
  const connection = await HttpConnection.open(new URL(url), 'none')
  let sent = 0
  return {
    async step(timed) {
      const body = JSON.stringify({ data: jobData(sent++) })
      expectStatus(await timed('propose', () => connection.post('/send', body)), 200, 'send')
    },
    close: () => connection.close(),
  }
}

export const propose: Scenario = {
  name: scenario,
  about: 'Proposals only: orders of one item, planned at once.',
  async run(bench) {
    const { adminUrl } = await bench.database.create('bench_peer_pg_boss_send')
    const server = await bench.server()
    const child = startChild('peers/peer-server.ts', ['pg-boss', adminUrl])
    try {
      const { url } = await child.message<{ url: string }>('ready')
      const contenders: Contender[] = [
        {
          scenario,
          series: 'propose',
          what: 'HTTP',
          unit: 'order',
          engine: server,
          fill,
          spenders: await bench.spendersOf(server),
          open: (clients) => Array.from({ length: clients }, () => openProposer(server)),
        },
        {
          scenario,
          series: 'send pg-boss',
          what: 'pg-boss send behind HTTP',
          unit: 'job',
          engine: child,
          fill,
          spenders: await bench.spendersOfPeer(child, adminUrl),
          open: (clients) => Array.from({ length: clients }, () => openSender(url)),
        },
      ]
      const rows: Row[] = []
      for (const clients of bench.clientCounts([32])) rows.push(...(await takeTurns(bench, contenders, clients)))
      return rows
    } finally {
      await child.stop()
    }
  },
}
