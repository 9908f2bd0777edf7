/**
 * The story that `npm start` tells, on real input: the licences of the packages installed here are audited by three scripted agents,
 * approved by a scripted reviewer and written down; then a second order waits for the person at the terminal. Plain code, no model,
 * and no way to the server but its public HTTP API.
 */
import { isWorkError } from '@work-manager/sdk'
import { orderMachine, statesTagged } from '@work-manager/contract'
import { workUntilDone, type Work } from './agents/agent.ts'
import { honestWork } from './agents/honest-agent.ts'
import { inventingAgent } from './agents/inventing-agent.ts'
import { partsWork } from './agents/parts-agent.ts'
import { reviewAndApprove } from './agents/scripted-reviewer.ts'
import { silentAgent } from './agents/silent-agent.ts'
import { type Order, WorkApi } from './client.ts'
import { DemoError } from './demo-error.ts'
import { counted, Narrator, type Tone } from './narration.ts'
import { findEarlier, mostPackages, proposeFullAudit, proposeStrictAudit } from './orders.ts'
import { proveRecord } from './record-proof.ts'
import { Stage, type Witnessed } from './stage.ts'
import { type FirstAct, tellEnd } from './tell-end.ts'

export interface DemoOptions {
  /** Where the server is, such as http://127.0.0.1:7420. */
  readonly url: string
  /** Where its work routes are mounted. Default: /api/work. */
  readonly basePath?: string
  readonly keys: { readonly agents: readonly [string, string, string]; readonly proposer: string; readonly reviewer: string }
  readonly out: (line: string) => void
  readonly isTty: boolean
  /** The server's working directory, whose node_modules is audited. */
  readonly root: string
  readonly signal: AbortSignal
  readonly color?: boolean
}

export interface DemoOutcome {
  readonly firstOrder: string
  /** The order that waits for the person at the terminal; null when there was nothing left to order. */
  readonly waitingOrder: string | null
  readonly seconds: number
}

const cast = ['magpie', 'sleeper', 'stitcher'] as const

/**
 * Runs the whole story. On data that an earlier start left, it takes up what is unfinished instead of ordering it again.
 * Refuses with: DemoError (unreachable, not_work_manager, key_unknown, not_applied …); the reason of `signal` when that is aborted.
 */
export async function runDemo(options: DemoOptions): Promise<DemoOutcome> {
  const startedAt = performance.now()
  const elapsed = () => (performance.now() - startedAt) / 1000
  const width = options.isTty ? Math.min(100, Math.max(60, process.stdout.columns ?? 80)) : 80
  const narrator = new Narrator({ out: options.out, color: options.color ?? false, width, elapsed })
  const crew = new Crew(options, narrator)
  try {
    const first = await firstAct(crew)
    const waiting = await secondAct(crew)
    tellEnd(narrator, { first, waiting, seconds: elapsed(), base: crew.base })
    return { firstOrder: first.order.id, waitingOrder: waiting?.id ?? null, seconds: elapsed() }
  } catch (error) {
    // What no scene expects: the server's own words say best what is in the way (a file, a missing node_modules …).
    throw isWorkError(error) ? new DemoError(error.code, error.detail, error.fix, { cause: error }) : error
  }
}

/** Everybody who takes part, each with a key of their own. */
class Crew {
  readonly narrator: Narrator
  readonly base: string
  readonly directory: string
  readonly signal: AbortSignal
  readonly proposer: WorkApi
  readonly reviewer: WorkApi
  readonly #agents: readonly WorkApi[]

  constructor(options: DemoOptions, narrator: Narrator) {
    this.narrator = narrator
    this.base = `${options.url.replace(/\/$/, '')}${options.basePath ?? '/api/work'}`
    this.directory = options.root
    this.signal = options.signal
    const api = (who: string, key: string) => new WorkApi({ base: this.base, key, who, signal: options.signal })
    this.proposer = api('proposer', options.keys.proposer)
    this.reviewer = api('reviewer', options.keys.reviewer)
    this.#agents = cast.map((name, i) => api(name, options.keys.agents[i] as string))
  }

  /** The three agents work on one order until nothing is left; `roles` says how each of them behaves, in the order of the cast. */
  async workOn(order: Order, roles: readonly [Work, Work, Work], sleeperHoldsAnItem?: Promise<void>): Promise<Stage> {
    const stage = new Stage(order, this.narrator)
    const agentLoop = (index: number) => {
      const name = cast[index] as string
      const tell = (text: string, tone?: Tone) => this.narrator.say(name, text, tone)
      return workUntilDone(roles[index] as Work, { name, api: this.#agents[index] as WorkApi, directory: this.directory, stage, tell })
    }
    try {
      // The silent one goes first, so that it surely has something to be silent about.
      const sleeper = agentLoop(1)
      if (sleeperHoldsAnItem) await Promise.race([sleeper, sleeperHoldsAnItem])
      await Promise.all([sleeper, agentLoop(0), agentLoop(2)])
    } finally {
      stage.closeForAgents()
    }
    return stage
  }
}

async function firstAct(crew: Crew): Promise<FirstAct> {
  const { narrator, proposer, reviewer, signal } = crew
  narrator.chapter('1  Which licences do the packages installed here have? Agents must prove it.')
  const earlier = await findEarlier(proposer, 'first', [...statesTagged(orderMachine, 'open'), 'submitted'])
  const order = earlier ?? (await proposeFullAudit(proposer))
  narrator.say(
    'proposer',
    earlier
      ? `finds the audit of an earlier start: it is ${earlier.state}`
      : `proposes to audit node_modules, at most ${mostPackages} packages`,
  )
  const size = `${counted(order.items_total, 'item')}: ${counted(packagesIn(order), 'package')} that are installed`
  narrator.say('server', earlier ? `kept ${size}` : `plans ${size}`)
  const sleeperHoldsAnItem = Promise.withResolvers<void>()
  let witnessed: Witnessed = { partsAssembled: 0, resultsFromParts: 0 }
  if (order.state !== 'submitted')
    ({ witnessed } = await crew.workOn(
      order,
      [inventingAgent(), silentAgent(sleeperHoldsAnItem.resolve), partsWork],
      sleeperHoldsAnItem.promise,
    ))
  const decision = await reviewAndApprove(order.id, reviewer, signal, (text, tone) => narrator.say('reviewer', text, tone))
  const { notices } = decision
  if (notices) narrator.say('server', `wrote ${notices.file}, ${notices.bytes.toLocaleString('en')} bytes`, 'good')
  const rows = await reviewer.records('license_inventory')
  narrator.say('reviewer', `reads ${counted(rows.length, 'row')} back from the inventory`)
  const proof = await proveRecord(order.id, reviewer, signal)
  if (proof)
    narrator.say(
      'reviewer',
      `record: ${counted(proof.events, 'event')}, ledger ${proof.firstSeq}…${proof.lastSeq}, ${proof.missing === 0 ? 'no' : proof.missing} gaps`,
      proof.missing === 0 ? 'good' : 'refused',
    )
  return { order, witnessed, decision, proof }
}

/** Leaves one order for a person: a new one, unless an earlier start's is still there. */
async function secondAct(crew: Crew): Promise<Order | null> {
  const { narrator, proposer } = crew
  narrator.showProgress()
  narrator.chapter('2  One more order, for you to decide.')
  const waiting = await findEarlier(proposer, 'waiting', ['submitted'])
  if (waiting) {
    narrator.showProgress(waiting.items_submitted, waiting.items_total)
    narrator.say('server', 'an order from an earlier start still waits for you')
    return waiting
  }
  const order = (await findEarlier(proposer, 'waiting')) ?? (await proposeStrictAudit(proposer))
  if (!order) return null
  narrator.say('proposer', `proposes a strict audit of ${counted(packagesIn(order), 'package')} not under MIT`)
  await crew.workOn(order, [honestWork, honestWork, partsWork])
  narrator.say('server', 'all handed in and verified; only a person can go on')
  return order
}

function packagesIn(order: Order): number {
  return (order.items ?? []).reduce((sum, item) => sum + ((item.input as { packages?: unknown[] }).packages?.length ?? 0), 0)
}
