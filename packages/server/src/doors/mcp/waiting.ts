/**
 * Waiting for an order, as the protocol of 2026-07-28 says it: the order itself is the task (extension io.modelcontextprotocol/tasks),
 * its id the task's id, so a wait survives every restart of client and server and costs no memory. Where a person has to decide, the
 * client is asked to show them the review page; what they answer there is worth nothing here: only a person's credential decides.
 */
import { WorkError } from '@work-manager/contract'
import {
  CLIENT_CAPABILITIES_META_KEY,
  fromJsonSchema,
  inputRequired,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type CallToolResult,
  type InputRequiredResult,
  type InputRequest,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server'
import type { Caller } from './caller.ts'
import type { ToolOperation } from './tools.ts'

export const tasksExtension = 'io.modelcontextprotocol/tasks'
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

/** What a client said that it can do, in this very request. Clients of 2025 say it elsewhere, and get plain answers. */
export function abilitiesOfClient(context: ServerContext): { readonly tasks: boolean; readonly showsPages: boolean } {
  const declared = (context.mcpReq.envelope as Record<string, unknown> | undefined)?.[CLIENT_CAPABILITIES_META_KEY] as
    | { extensions?: Record<string, unknown>; elicitation?: { url?: unknown } }
    | undefined
  return { tasks: declared?.extensions?.[tasksExtension] !== undefined, showsPages: declared?.elicitation?.url !== undefined }
}

/** A call of work_why that asked to wait: a task, a page to show, or undefined where the plain long poll is the way. */
export function beginWait(
  caller: Caller,
  context: ServerContext,
  now: Explained,
): (CallToolResult & Record<string, unknown>) | InputRequiredResult | undefined {
  if (now.settled) return undefined
  const client = abilitiesOfClient(context)
  if (client.tasks) return { content: [], resultType: 'task', ...taskOf(now), status: 'working' }
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

function taskOf(now: Explained): Record<string, unknown> {
  return {
    taskId: now.order_id,
    statusMessage: now.sentence,
    createdAt: now.created_at,
    lastUpdatedAt: now.last_transitioned_at,
    ttlMs: null,
    pollIntervalMs: now.waits_for === 'person' ? pollMs.person : pollMs.others,
  }
}

const taskParams = fromJsonSchema<{ taskId: string }>({
  type: 'object',
  properties: { taskId: { type: 'string', minLength: 1, maxLength: 64 } },
  required: ['taskId'],
})

/** Adds tasks/get, tasks/update and tasks/cancel. `result` renders the final answer exactly as the tool would have given it. */
export function serveTasks(
  server: Server,
  caller: Caller,
  explain: ToolOperation,
  result: (answer: Record<string, unknown>) => CallToolResult,
): void {
  const look = async (taskId: string, context: ServerContext): Promise<Explained & Record<string, unknown>> => {
    if (!abilitiesOfClient(context).tasks)
      throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: { [tasksExtension]: {} } } })
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
  server.setRequestHandler('tasks/get', { params: taskParams }, async ({ taskId }, context) => {
    const now = await look(taskId, context)
    if (now.settled) return { ...taskOf(now), status: 'completed', result: result(now) }
    const page = abilitiesOfClient(context).showsPages ? pageToShow(caller, now) : undefined
    return page
      ? { ...taskOf(now), status: 'input_required', inputRequests: { [decisionKey(now.revision)]: page } }
      : { ...taskOf(now), status: 'working' }
  })
  // That the page was shown is good to know and decides nothing.
  server.setRequestHandler('tasks/update', { params: taskParams }, async ({ taskId }, context) => {
    await look(taskId, context)
    return {}
  })
  // Ends the waiting, which holds nothing here. The order goes on: withdrawing it is a decision with a reason, not a side effect.
  server.setRequestHandler('tasks/cancel', { params: taskParams }, async ({ taskId }, context) => {
    await look(taskId, context)
    return {}
  })
}
