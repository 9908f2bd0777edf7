/**
 * Writes absorbed heartbeats to the database, many at a time. Any process does it for all: it claims notes for two seconds, asks the database
 * about each (which remains the judge) and takes them off the list. A process that dies in between loses its claims, not the heartbeats.
 */
import type { Logger } from 'pino'
import { runScript } from '../../redis/script.ts'
import type { Asking } from './asking.ts'
import { instantOf } from './database-clock.ts'
import type { LateHeartbeat } from './lease-hints.ts'
import { claimScript, doneScript } from './lease-notes-scripts.ts'

/** From the first absorbed heartbeat until it is written: long enough to gather many, short enough that nobody notices. */
const gatherMs = 200
/** How often a process that absorbs nothing looks for what another one left behind. */
const lookEveryMs = 1_000
const claimMs = 2_000
const batch = 256
/** Busy leases are due again at once; a pass ends all the same, so that each is written once in a while and not all the time. */
const mostBatches = 8
const fields = 8

interface Claimed {
  readonly note: string
  readonly n: string
  readonly heartbeat: LateHeartbeat
}

function claimedFrom(flat: readonly string[]): Claimed[] {
  return Array.from({ length: flat.length / fields }, (_, place) => {
    const [note, n, tenantId, itemId, token, agentId, principal, promised] = flat.slice(place * fields, (place + 1) * fields) as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ]
    return { note, n, heartbeat: { tenantId, itemId, token, agentId, principal, noLaterThan: instantOf(Number(promised)) } }
  })
}

export interface WriteBehind {
  /** Heartbeats wait. */
  wake(): void
  start(judge: (heartbeat: LateHeartbeat) => Promise<unknown>): void
  /** One pass by hand; returns how many leases were written. */
  flush(): Promise<number>
  stop(): Promise<void>
}

export function createWriteBehind(tools: { readonly ask: Asking; readonly dirtyKey: string; readonly log: Logger }): WriteBehind {
  const { ask, dirtyKey, log } = tools
  let judge: ((heartbeat: LateHeartbeat) => Promise<unknown>) | null = null
  let gathering: NodeJS.Timeout | null = null
  let looking: NodeJS.Timeout | null = null
  /** The latest pass; the next one begins when it has ended. */
  let last: Promise<unknown> = Promise.resolve()
  let passes = 0

  async function pass(): Promise<number> {
    let written = 0
    for (let turn = 0; turn < mostBatches; turn++) {
      const flat = judge && (await ask((client) => runScript<string[]>(client, claimScript, [dirtyKey], [String(batch), String(claimMs)])))
      if (!flat || flat.length === 0) return written
      const claimed = claimedFrom(flat)
      const answers = await Promise.allSettled(claimed.map(({ heartbeat }) => judge!(heartbeat)))
      const failed = answers.find((answer) => answer.status === 'rejected')
      // What could not be asked stays claimed, and comes up again when the claim has run out.
      const done = claimed.filter((_, n) => answers[n]!.status === 'fulfilled')
      if (done.length > 0)
        await ask((client) =>
          runScript(
            client,
            doneScript,
            [dirtyKey, ...done.map(({ note }) => note)],
            done.map(({ n }) => n),
          ),
        )
      written += done.length
      if (failed) {
        log.warn(
          { component: 'leases', err: failed.reason as unknown },
          'absorbed heartbeats could not be written yet; they will be tried again',
        )
        return written
      }
      if (claimed.length < batch) return written
    }
    wake()
    return written
  }
  function wake(): void {
    if (gathering !== null || judge === null) return
    gathering = setTimeout(() => {
      gathering = null
      flushQuietly()
    }, gatherMs)
  }
  const flush = (): Promise<number> => {
    passes++
    const mine = last.then(pass).finally(() => passes--)
    last = mine.catch(() => {})
    return mine
  }
  const flushQuietly = (): void =>
    void flush().catch((error: unknown) =>
      log.error({ component: 'leases', err: error }, 'writing heartbeats behind failed; it will be tried again'),
    )

  return {
    wake,
    start(asked) {
      judge = asked
      looking = setInterval(() => {
        if (passes === 0) flushQuietly()
      }, lookEveryMs)
    },
    flush,
    async stop() {
      if (gathering) clearTimeout(gathering)
      if (looking) clearInterval(looking)
      gathering = looking = null
      await flush()
      judge = null
    },
  }
}
