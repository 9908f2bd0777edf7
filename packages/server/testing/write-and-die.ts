/** A process that commits three events and is gone before anybody could number them. Started by ledger/sequencer.test.ts. */
import { openDatabase } from '../src/kernel/store/database.ts'
import { appendEvents, systemActor } from '../src/kernel/store/events.ts'

process.once('message', (message: { url: string; tenant: string }) => {
  const db = openDatabase({ url: message.url, maxConnections: 6, onError: () => {} })
  const events = [1, 2, 3].map((n) => ({ kind: 'order.stale' as const, message: `event ${n}` }))
  void db.app
    .transaction(message.tenant, async (tx) => appendEvents(tx, systemActor('test'), await tx.clock(), events))
    .then(() => process.kill(process.pid, 'SIGKILL'))
})
