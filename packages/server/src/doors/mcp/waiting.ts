/**
 * Waiting for an order, as the protocol of 2026-07-28 says it: the order itself is the task (extension io.modelcontextprotocol/tasks),
 * its id the task's id, so a wait survives every restart of client and server and costs no memory. Where a person has to decide, the
 * client is asked to show them the review page; what they answer there is worth nothing here: only a person's credential decides.
 */
import { WorkError } from '@work-manager/contract'
import {
  inputRequired,
  ProtocolError,
  ProtocolErrorCode,
  type CallToolResult,
  type InputRequiredResult,
  type InputRequest,
  type ServerContext,
} from '@modelcontextprotocol/server'
import type { Caller } from './caller.ts'
import { abilitiesOfClient, asTask, type Task, type TaskSource } from './tasks.ts'
import type { ToolOperation } from './tools.ts'

const decisionKey = (revision: number): string => `decide-${revision}`
const pollMs = { person: 10_000, others: 2_000 } as const

/** The members of the answer of explain_order that a wait needs. */
export interface Explained {
  readonly order_id: string
  readonly state: string
  readonly settled: boolean
  readonly waits_for: string
  readonly sentence: string
  readonly review_url: string | null
  readonly revision: number
  readonly created_at: string
  readonly last_transitioned_at: string
}

/** A call of work_why that asked to wait: a task, a page to show, or undefined where the plain long poll is the way. */
export function beginWait(
  caller: Caller,
  context: ServerContext,
  now: Explained,
): (CallToolResult & Record<string, unknown>) | InputRequiredResult | undefined {
  if (now.settled) return undefined
  const client = abilitiesOfClient(context)
  if (client.tasks) return asTask(taskOf(now))
  const page = pageToShow(caller, now)
  const asked = context.mcpReq.inputResponses?.[decisionKey(now.revision)] !== undefined
  if (client.showsPages && page && !asked) return inputRequired({ inputRequests: { [decisionKey(now.revision)]: page } })
  return undefined
}

function pageToShow(caller: Caller, now: Explained): InputRequest | undefined {
  const url = caller.absolute(now.review_url)
  return url === null
    ? undefined
    : inputRequired.elicitUrl({ url, message: `Work order ${now.order_id} waits for a person to approve or reject it.` })
}

function taskOf(now: Explained): Task {
  return {
    status: 'working',
    taskId: now.order_id,
    statusMessage: now.sentence,
    createdAt: now.created_at,
    lastUpdatedAt: now.last_transitioned_at,
    ttlMs: null,
    pollIntervalMs: now.waits_for === 'person' ? pollMs.person : pollMs.others,
  }
}

/** Orders as tasks. `result` renders the final answer exactly as the tool would have given it. */
export function ordersAsTasks(
  caller: Caller,
  explain: ToolOperation,
  result: (answer: Record<string, unknown>) => CallToolResult,
): TaskSource {
  const look = async (taskId: string, context: ServerContext): Promise<Explained & Record<string, unknown>> => {
    try {
      const { bytes } = await caller.run(explain, { input: { order: taskId }, signal: context.mcpReq.signal })
      return JSON.parse(bytes) as Explained & Record<string, unknown>
    } catch (error) {
      if (!(error instanceof WorkError)) throw error
      const problem = caller.problem(error, 'tasks/get')
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `Failed to retrieve task: ${problem.detail} A task's id is the id of the order that it waits for.`,
        problem,
      )
    }
  }
  return {
    async get(taskId, context) {
      const now = await look(taskId, context)
      if (now.settled) return { ...taskOf(now), status: 'completed', result: result(now) }
      const page = abilitiesOfClient(context).showsPages ? pageToShow(caller, now) : undefined
      return page ? { ...taskOf(now), status: 'input_required', inputRequests: { [decisionKey(now.revision)]: page } } : taskOf(now)
    },
    // That the page was shown is good to know and decides nothing.
    update: async (taskId, _, context) => void (await look(taskId, context)),
    // Ends the waiting, which holds nothing here. The order goes on: withdrawing it is a decision with a reason, not a side effect.
    cancel: async (taskId, context) => void (await look(taskId, context)),
  }
}
