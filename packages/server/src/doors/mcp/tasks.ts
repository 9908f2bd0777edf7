/**
 * The tasks extension of 2026-07-28 as the protocol says it, whatever the tasks are: who may ask, how a task is told, what the three methods
 * answer. What a task of this product is, waiting.ts says; the official conformance suite drives this file with tasks of its own.
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  fromJsonSchema,
  MissingRequiredClientCapabilityError,
  type CallToolResult,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server'

export const tasksExtension = 'io.modelcontextprotocol/tasks'

export interface Task {
  readonly taskId: string
  readonly status: 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled'
  readonly createdAt: string
  readonly lastUpdatedAt: string
  readonly ttlMs: number | null
  readonly pollIntervalMs: number
  readonly statusMessage?: string
  readonly inputRequests?: Readonly<Record<string, unknown>>
  readonly result?: CallToolResult
  readonly error?: object
}

/** Where tasks are kept. All three refuse with invalid params for a task that does not exist. */
export interface TaskSource {
  get(taskId: string, context: ServerContext): Promise<Task>
  update(taskId: string, responses: Readonly<Record<string, unknown>>, context: ServerContext): Promise<void>
  cancel(taskId: string, context: ServerContext): Promise<void>
}

/** What a client said that it can do, in this very request. Clients of 2025 say it elsewhere, and get plain answers. */
export function abilitiesOfClient(context: ServerContext): { readonly tasks: boolean; readonly showsPages: boolean } {
  const declared = (context.mcpReq.envelope as Record<string, unknown> | undefined)?.[CLIENT_CAPABILITIES_META_KEY] as
    | { extensions?: Record<string, unknown>; elicitation?: { url?: unknown } }
    | undefined
  return { tasks: declared?.extensions?.[tasksExtension] !== undefined, showsPages: declared?.elicitation?.url !== undefined }
}

/** Refuses with: the missing capability. */
export function assertKnowsTasks(context: ServerContext): void {
  if (!abilitiesOfClient(context).tasks)
    throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: { [tasksExtension]: {} } } })
}

/** The answer of a tool that goes on as a task: what the task is, and nothing of what it will give. */
export function asTask(task: Task): CallToolResult & Record<string, unknown> {
  const { inputRequests: _, result: __, error: ___, ...told } = task
  return { content: [], resultType: 'task', ...told }
}

const taskParams = fromJsonSchema<{ taskId: string }>({
  type: 'object',
  properties: { taskId: { type: 'string', minLength: 1, maxLength: 64 } },
  required: ['taskId'],
})

/** Adds tasks/get, tasks/update and tasks/cancel. */
export function serveTasks(server: Server, tasks: TaskSource): void {
  server.setRequestHandler('tasks/get', { params: taskParams }, async ({ taskId }, context) => {
    assertKnowsTasks(context)
    return { ...(await tasks.get(taskId, context)) }
  })
  server.setRequestHandler('tasks/update', { params: taskParams }, async ({ taskId }, context) => {
    assertKnowsTasks(context)
    await tasks.update(taskId, context.mcpReq.inputResponses ?? {}, context)
    return {}
  })
  server.setRequestHandler('tasks/cancel', { params: taskParams }, async ({ taskId }, context) => {
    assertKnowsTasks(context)
    await tasks.cancel(taskId, context)
    return {}
  })
}
