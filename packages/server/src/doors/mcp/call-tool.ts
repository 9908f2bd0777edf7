/** `tools/call`: arguments in, the operation's answer out as text and as structured content; a refusal is the problem object of HTTP. */
import { nearestName, type FieldError, type Problem, WorkError } from '@work-manager/contract'
import {
  type CallToolResult,
  type InputRequiredResult,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { translateArguments, type TranslatedCall } from './arguments.ts'
import type { Caller } from './caller.ts'
import type { OperationAnswer } from '../../kernel/operations/run-operation.ts'
import { mayCall, type Tool } from './tools.ts'
import { beginWait, type Explained } from './waiting.ts'

export const whyTool = 'work.why'

/** Refuses with: invalid params for a tool that does not exist. Everything else is an answer with isError. */
export async function callTool(
  caller: Caller,
  tools: readonly Tool[],
  name: string,
  given: unknown,
  context: ServerContext,
): Promise<CallToolResult | InputRequiredResult> {
  const tool = tools.find((one) => one.name === name)
  if (!tool)
    throw unknownTool(
      name,
      tools.filter((one) => mayCall(caller.principal, one)).map((one) => one.name),
    )
  let call: TranslatedCall | undefined
  try {
    call = translateArguments(tool, given)
    const { signal } = context.mcpReq
    if (tool.name === whyTool && Number(call.input['wait']) > 0) {
      const { bytes } = await caller.run(call.chosen, { input: { ...call.input, wait: 0 }, signal })
      const waiting = beginWait(caller, context, JSON.parse(bytes) as Explained)
      if (waiting) return waiting
    }
    return renderAnswer(caller, await caller.run(call.chosen, { ...call, signal }))
  } catch (error) {
    const problem = caller.problem(call ? inOurNames(error, call) : error, tool.name)
    return { isError: true, content: [{ type: 'text', text: asText(problem) }], structuredContent: problem }
  }
}

function unknownTool(name: string, known: readonly string[]): ProtocolError {
  const near = nearestName(name, known)
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

/** The answer of an operation as a tool's: its very bytes, the same as structured content, and what a model should do about it. */
export function renderAnswer(caller: Caller, answer: Pick<OperationAnswer, 'bytes' | 'status' | 'replayed'>): CallToolResult {
  const value = JSON.parse(answer.bytes) as Record<string, unknown>
  return {
    content: [{ type: 'text', text: answer.bytes }, ...whatHappensNext(caller, value)],
    structuredContent: value,
    _meta: { 'work-manager/status': answer.status, 'work-manager/idempotent-replayed': answer.replayed },
  }
}

/** After the last item is handed in it is no longer the agent's move; whose it is, work.why says. */
function whatHappensNext(caller: Caller, value: Record<string, unknown>): CallToolResult['content'] {
  if (typeof value['review_url'] === 'string')
    return [{ type: 'text', text: `A person decides. Give them this link: ${caller.absolute(value['review_url'])}` }]
  if (value['order_state'] !== 'submitted') return []
  return [
    {
      type: 'text',
      text: 'The order is complete: every item is handed in. It now waits for its decision; work.why with its order_id tells whose move it is.',
    },
  ]
}
