/** `tools/call`: arguments in, what a model needs of the operation's answer out; a refusal is the problem object of HTTP in tools' words. */
import { nearestName, type FieldError, type Problem, WorkError } from '@work-manager/contract'
import {
  type CallToolResult,
  type InputRequiredResult,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from '@modelcontextprotocol/server'
import type { OperationAnswer } from '../../kernel/operations/run-operation.ts'
import { translateArguments, type TranslatedCall } from './arguments.ts'
import type { Caller } from './caller.ts'
import { answerTokens, fitted, tokensOf } from './fit-answer.ts'
import { resourceFor } from './resources.ts'
import { pieceOf, project } from './shown-answer.ts'
import { mayCall, type Tool } from './tools.ts'
import { beginWait, type Explained } from './waiting.ts'

export const whyTool = 'work_why'

/** `work.types` and `work-types` mean `work_types`: dots were in the names once, and some clients change what they do not like. */
export const ourToolName = (name: string): string => name.replaceAll(/[.\-/]/g, '_')

/** Refuses with: invalid params for a tool that does not exist. Everything else is an answer with isError. */
export async function callTool(
  caller: Caller,
  tools: readonly Tool[],
  name: string,
  given: unknown,
  context: ServerContext,
): Promise<CallToolResult | InputRequiredResult> {
  const tool = tools.find((one) => one.name === ourToolName(name))
  if (!tool)
    throw unknownTool(
      name,
      tools.filter((one) => mayCall(caller.principal, one)).map((one) => one.name),
    )
  let call: TranslatedCall | undefined
  let stopTelling: (() => void) | undefined
  try {
    call = translateArguments(tool, given, (text) => caller.parseJson(text))
    const { signal } = context.mcpReq
    stopTelling = tellProgress(context, Number(call.input['wait'] ?? 0))
    if (tool.name === whyTool && Number(call.input['wait']) > 0) {
      const { bytes } = await caller.run(call.chosen, { input: { ...call.input, wait: 0 }, signal })
      const waiting = beginWait(caller, context, JSON.parse(bytes) as Explained)
      if (waiting) return waiting
    }
    return await shownAnswer(caller, tool, call, signal)
  } catch (error) {
    const limited = await caller.countRefused().catch((refusal: unknown) => refusal)
    const problem = caller.problem(limited ?? (call ? inOurNames(error, call) : error), tool.name)
    const { value, shortened } = fitted(problem, answerTokens)
    const told = (shortened.length === 0 ? problem : value) as Problem
    return { isError: true, content: [{ type: 'text', text: asText(told) }], structuredContent: told }
  } finally {
    stopTelling?.()
  }
}

const progressEveryMs = 1000

/** A client that asks to be told sees that the wait goes on; many put their own time limit off each time. */
function tellProgress({ mcpReq }: ServerContext, waitSeconds: number): (() => void) | undefined {
  const progressToken = mcpReq._meta?.progressToken
  if (progressToken === undefined || !(waitSeconds > 0)) return undefined
  const startedAt = performance.now()
  const timer = setInterval(() => {
    const progress = Math.round((performance.now() - startedAt) / 1000)
    const params = { progressToken, progress, total: waitSeconds, message: 'Waiting; nothing is there yet.' }
    // Whoever does not hear it has gone, which is found out elsewhere.
    mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {})
  }, progressEveryMs)
  return () => clearInterval(timer)
}

function unknownTool(name: string, known: readonly string[]): ProtocolError {
  const near = nearestName(ourToolName(name), known)
  return new ProtocolError(
    ProtocolErrorCode.InvalidParams,
    `There is no tool '${name.slice(0, 128)}'${near ? `; did you mean ${near}?` : `; tools: ${known.join(', ')}.`}`,
    { nearest: near ?? null, known },
  )
}

/** Field errors speak of the operation's members; the agent knows them by the names of the arguments. */
function inOurNames(error: unknown, { chosen }: TranslatedCall): unknown {
  if (!(error instanceof WorkError) || !error.details.errors || chosen.ids.length === 0) return error
  const argumentOf = new Map([...chosen.members].map(([argument, member]) => [member, argument]))
  const errors = error.details.errors.map((one): FieldError => ({ ...one, field: argumentOf.get(one.field) ?? one.field }))
  return new WorkError(error.code, { ...error.details, errors }, { cause: error.cause })
}

const retryAdvice: Record<Problem['retry'], string> = {
  never: 'Repeating the same call will not help.',
  after_refresh: 'Read the present state first, then decide again.',
  later: 'The same call may pass after a wait; keep its idempotency_key.',
}

function asText(problem: Problem): string {
  return `${problem.code}: ${problem.detail}\n${problem.fix}\n${retryAdvice[problem.retry]}`
}

/** Pages that are too large for a model are read again with fewer rows, so that their cursor goes on behind what is shown. */
const mostReadings = 4

async function shownAnswer(caller: Caller, tool: Tool, call: TranslatedCall, signal: AbortSignal): Promise<CallToolResult> {
  const { chosen, view } = call
  const input: Record<string, unknown> = { ...tool.defaults?.(call.input), ...call.input }
  const shows = view.full ? undefined : typeof tool.shows === 'function' ? tool.shows(call.input) : tool.shows
  for (let reading = 1; ; reading++) {
    const answer = await caller.run(chosen, { ...call, input, signal })
    const value = JSON.parse(answer.bytes) as Record<string, unknown>
    if (view.at !== undefined) return toolResult(caller, answer, value, pieceOf(value, view))
    const shown = (shows === undefined ? value : project(value, shows, Date.now())) as Record<string, unknown>
    const rows = 'next_cursor' in value ? Object.values(shown).find(Array.isArray)?.length : undefined
    const tokens = tokensOf(shown)
    if (tokens <= answerTokens || rows === undefined || rows <= 1 || tool.writes || reading === mostReadings)
      return toolResult(caller, answer, value, shown)
    input['limit'] = Math.max(1, Math.floor((rows * answerTokens * 0.9) / tokens))
  }
}

type Answered = Pick<OperationAnswer, 'status' | 'replayed'>

/** `value` is all that the operation answered; `shown` what of it goes out, as far as it has room. */
export function toolResult(caller: Caller, { status, replayed }: Answered, value: Record<string, unknown>, shown: unknown): CallToolResult {
  const { value: fits, shortened } = fitted(shown, answerTokens)
  const told = { ...(fits as Record<string, unknown>), ...(shortened.length > 0 ? { shortened } : {}) }
  const whole = shortened.length > 0 ? resourceFor(value) : undefined
  return {
    content: [
      { type: 'text', text: JSON.stringify(told) },
      ...(whole ? [{ type: 'resource_link' as const, ...whole }] : []),
      ...(whole ? [{ type: 'text' as const, text: howToReadTheRest(whole.uri) }] : []),
      ...whatHappensNext(caller, value),
    ],
    structuredContent: told,
    _meta: { 'work-manager/status': status, 'work-manager/idempotent-replayed': replayed },
  }
}

const howToReadTheRest = (uri: string): string =>
  `Shortened to fit: the list \`shortened\` says where. The whole is the resource ${uri}; work_get with \`at\` reads one member of an order or an item piece by piece.`

/** After the last item is handed in it is no longer the agent's move; whose it is, work_why says. */
function whatHappensNext(caller: Caller, value: Record<string, unknown>): CallToolResult['content'] {
  if (typeof value['review_url'] === 'string')
    return [{ type: 'text', text: `A person decides. Give them this link: ${caller.absolute(value['review_url'])}` }]
  if (value['order_state'] !== 'submitted') return []
  return [
    {
      type: 'text',
      text: 'The order is complete: every item is handed in. It now waits for its decision; work_why with its order_id tells whose move it is.',
    },
  ]
}
