/**
 * The server checks its own record, and what the record speaks of, by itself: what is new since the last look, and all of it once a day.
 * What does not hold is logged, counted, on the record (`record.damaged`) and in `doctor`, until it holds again.
 */
import { uuidv7 } from 'uuidv7'
import { type ServiceDefinition, sweep } from '../../kernel/service.ts'
import { appendEvents, ofItself, systemActor } from '../../kernel/store/events.ts'
import { verifyPart } from '../../ledger/verify.ts'
import type { WorkTools } from '../tools.ts'
import { checkContent } from './check-content.ts'
import { type CheckDue, type Checked, findChecksDue, keepCheck, listDamaged } from './store.ts'

const batch = 20
const entriesAtOnce = 2_000
const actor = systemActor('record-checker')

export function recordChecker(tools: WorkTools, everySeconds: number): ServiceDefinition {
  const { db, system, log, metrics } = tools

  const look = (tenantId: string, after: number): Promise<Omit<Checked, 'isWhole'>> =>
    db.read(tenantId, async (q) => {
      const { verdict, nextAfter } = await verifyPart(q, tenantId, { after, most: entriesAtOnce, checkpoint: null })
      if (!verdict.ok)
        return { through: after, isPart: false, damage: { damage: verdict.damage, seq: verdict.seq, detail: verdict.detail } }
      const through = nextAfter ?? verdict.entries
      return { through, isPart: nextAfter !== null, damage: await checkContent(q, tenantId, { after, through }) }
    })

  async function check({ tenant_id: tenantId, through, damage: known, is_fresh: isFresh }: CheckDue): Promise<boolean> {
    const after = Number(through)
    const seen = await look(tenantId, after)
    const isEnd = !seen.isPart && seen.damage === null
    // From the beginning again once a day: what was sound may be changed.
    const isWhole = isEnd && !isFresh
    await keepCheck(system, tenantId, { ...seen, through: seen.damage ? after : isWhole ? 0 : seen.through, isWhole })
    if (seen.damage && known !== seen.damage.damage) {
      log.error({ tenant_id: tenantId, ...seen.damage }, 'the record of a tenant, or what it speaks of, is not what was written')
      const { damage: reason, seq, detail } = seen.damage
      await db.transaction(tenantId, async (tx) =>
        appendEvents(tx, actor, await tx.clock(), [
          {
            kind: 'record.damaged',
            ...ofItself(uuidv7(), reason),
            payload: { damage: reason, seq, detail },
            message: detail.slice(0, 500),
          },
        ]),
      )
    }
    return true
  }

  return {
    name: 'record-checker',
    everyMs: Math.min(60, everySeconds) * 1000,
    settings: { everySeconds },
    async run() {
      const due = await findChecksDue(system, everySeconds, batch)
      const done = await sweep(due, tools, check)
      metrics.set('record_damaged', {}, (await listDamaged(system)).length)
      return { done, more: false }
    },
  }
}
