/**
 * Every attribute that a span can carry, in one place. The `gen_ai.*` and `mcp.*` names follow OpenTelemetry's conventions for generative
 * AI, which are in Development and may be renamed: then this file changes and nothing else. Prompts, payloads, results and keys never
 * become attributes.
 */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** What the spans of Work Manager say about themselves, by our names. */
export interface About {
  readonly door?: 'http' | 'mcp' | undefined
  readonly operation?: string
  readonly requestId?: string | null
  readonly orderId?: string
  readonly orderType?: string
  readonly itemId?: string
  /** applied, delivered, refused … */
  readonly outcome?: string
  readonly status?: number
  readonly replayed?: boolean
  readonly attempt?: number
  readonly effect?: string
  /** Of a shared statement: for how many requests. */
  readonly batchSize?: number
  readonly statement?: string
}

export const attributeNames: Readonly<Record<keyof About, string>> = {
  door: 'work_manager.door',
  operation: 'work_manager.operation',
  requestId: 'work_manager.request.id',
  orderId: 'work_manager.order.id',
  orderType: 'work_manager.order.type',
  itemId: 'work_manager.item.id',
  outcome: 'work_manager.outcome',
  status: 'http.response.status_code',
  replayed: 'work_manager.replayed',
  attempt: 'work_manager.attempt',
  effect: 'work_manager.effect.name',
  batchSize: 'db.operation.batch.size',
  statement: 'db.operation.name',
}

export function attributesOf(about: About): Attributes {
  const attributes: Record<string, string | number | boolean> = {}
  for (const name of Object.keys(about) as (keyof About)[]) {
    const value = about[name]
    if (value !== undefined && value !== null) attributes[attributeNames[name]] = value
  }
  return attributes
}

/** Of an operation that an agent calls as a tool. */
export interface ToolCall {
  readonly name: string
  /** The id that the model's side gave the call, where the client passes it on. */
  readonly callId: string | undefined
}

export const genAiTool = ({ name, callId }: ToolCall): Attributes => ({
  'gen_ai.operation.name': 'execute_tool',
  'gen_ai.tool.name': name,
  'gen_ai.tool.call.id': callId,
  'mcp.method.name': 'tools/call',
})

export const genAiAgent = (agent: { agentId: string; agentName: string | null; agentVersion: string | null }): Attributes => ({
  'gen_ai.agent.id': agent.agentId,
  'gen_ai.agent.name': agent.agentName ?? undefined,
  'gen_ai.agent.version': agent.agentVersion ?? undefined,
})

/** Where clients put the id of the model's tool call; MCP itself names no place. */
const callIdKeys = ['gen_ai.tool.call.id', 'claudecode/toolUseId'] as const

export function toolCallOf(name: unknown, meta: Readonly<Record<string, unknown>> | undefined): ToolCall | undefined {
  if (typeof name !== 'string') return undefined
  const callId = callIdKeys.map((key) => meta?.[key]).find((id) => typeof id === 'string' && /^[\x21-\x7e]{1,128}$/.test(id))
  return { name: name.slice(0, 128), callId: callId as string | undefined }
}

export const errorType = 'error.type'
