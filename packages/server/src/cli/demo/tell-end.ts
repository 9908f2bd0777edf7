/** The end of the story: what this run has shown, and what to do next. Says only what it has seen. */
import type { Decision } from './agents/scripted-reviewer.ts'
import type { Order } from './client.ts'
import { counted, type Narrator } from './narration.ts'
import type { RecordProof } from './record-proof.ts'
import type { Witnessed } from './stage.ts'

export interface FirstAct {
  readonly order: Order
  readonly witnessed: Witnessed
  readonly decision: Decision
  readonly proof: RecordProof | null
}

export interface Ending {
  readonly first: FirstAct
  readonly waiting: Order | null
  readonly seconds: number
  readonly base: string
}

export function tellEnd(narrator: Narrator, { first, waiting, seconds, base }: Ending): void {
  const { witnessed, decision, proof, order } = first
  const { inventedQuoteRefused: invented, staleHandInRefused: stale } = witnessed
  const rows: [string, string][] = []
  if (invented) rows.push(['invented quote', `refused (${invented.status} ${invented.code}), corrected, accepted`])
  if (stale) rows.push(['stale hand-in', `refused (${stale.status} ${stale.code}); another agent did the item`])
  if (witnessed.partsAssembled > 0)
    rows.push(['parts', `${counted(witnessed.partsAssembled, 'part')} put together into ${counted(witnessed.resultsFromParts, 'result')}`])
  rows.push(['approval', `bound to ${decision.digest.slice(0, 23)}…${decision.appliedOnce ? '; applied once' : ''}`])
  if (proof?.missing === 0) rows.push(['record', `${counted(proof.events, 'event')}, ledger numbers without a gap`])
  if (decision.notices) rows.push(['file', decision.notices.file])
  rows.push(['order', order.id])
  narrator.summary(`what you saw, in ${seconds.toFixed(1)} s`, rows)
  if (!waiting) return
  narrator.summary('yours to decide', [
    ['waiting order', waiting.id],
    ['in a terminal', 'read it, then approve it:'],
  ])
  narrator.command(`npx work-manager orders show ${waiting.id}`)
  narrator.command(`npx work-manager approve ${waiting.id}`)
  narrator.summaryLine('over HTTP', 'with an API key (npx work-manager keys create):')
  narrator.command(`${base}/orders/${waiting.id}`)
}
