/** One MCP server per request, as the SDK wants it for the stateless protocol: everything heavy is made once, in `createMcpDoor`. */
import { type ListToolsResult, ProtocolError, ProtocolErrorCode, Server } from '@modelcontextprotocol/server'
import type { Operation } from '../../kernel/operations/operation.ts'
import { callTool, toolResult, whyTool } from './call-tool.ts'
import type { Caller } from './caller.ts'
import { howToWork, workHere } from './how-to-work.ts'
import { Resources } from './resources.ts'
import { buildTools, mayCall, type Tool, type ToolOperation } from './tools.ts'
import { toolWords, type Words } from './words.ts'
import { serveTasks, tasksExtension } from './tasks.ts'
import { ordersAsTasks } from './waiting.ts'

const prompt = {
  name: 'work_here',
  title: 'How to work here',
  description: 'Tells an agent on one screen how to take work, keep it, hand it in and give it back.',
  arguments: [{ name: 'type', description: 'Only this order type.', required: false }],
}
// What a credential sees changes only with its abilities and with a restart of the server.
const listed = { ttlMs: 60_000, cacheScope: 'private' } as const
const perCall = { ttlMs: 0, cacheScope: 'private' } as const

export class McpDoor {
  readonly tools: readonly Tool[]
  private readonly resources: Resources
  private readonly why: ToolOperation
  private readonly version: string
  /** In which refusals are told here. */
  readonly words: Words

  constructor(operations: readonly Operation[], version: string) {
    this.tools = buildTools(operations)
    this.resources = new Resources(operations)
    this.why = this.tools.find((tool) => tool.name === whyTool)!.operations[0]!
    this.version = version
    this.words = toolWords(operations)
  }

  hasTool(name: string): boolean {
    return this.tools.some((tool) => tool.name === name)
  }

  /** What `tools/list` shows to a credential, always in the order of the table. */
  listTools(caller: Caller): ListToolsResult {
    return { tools: this.tools.flatMap((tool) => (mayCall(caller.principal, tool) ? [tool.listed] : [])) }
  }

  serverFor(caller: Caller, era: 'legacy' | 'modern'): Server {
    const { tools, resources } = this
    const server = new Server(
      { name: 'work-manager', title: 'Work Manager', version: this.version },
      {
        capabilities: {
          tools: {},
          resources: {},
          prompts: {},
          completions: {},
          ...(era === 'modern' ? { extensions: { [tasksExtension]: {} } } : {}),
        },
        instructions: howToWork,
        cacheHints: {
          'tools/list': listed,
          'prompts/list': listed,
          'resources/list': listed,
          'resources/templates/list': listed,
          'server/discover': listed,
          'resources/read': perCall,
        },
      },
    )
    server.setRequestHandler('tools/list', () => this.listTools(caller))
    server.setRequestHandler('tools/call', ({ params }, context) =>
      callTool(caller, tools, params.name, caller.oddArguments ?? params.arguments, context),
    )
    if (era === 'modern')
      serveTasks(
        server,
        ordersAsTasks(caller, this.why, (answer) => toolResult(caller, { status: 200, replayed: false }, answer, answer)),
      )
    server.setRequestHandler('resources/list', async (_request, { mcpReq }) => ({ resources: await resources.list(caller, mcpReq.signal) }))
    server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [...resources.templates] }))
    server.setRequestHandler('resources/read', ({ params }, { mcpReq }) => resources.read(caller, params.uri, mcpReq.signal))
    server.setRequestHandler('prompts/list', () => ({ prompts: [prompt] }))
    server.setRequestHandler('prompts/get', async ({ params }, { mcpReq }) => {
      if (params.name !== prompt.name)
        throw new ProtocolError(
          ProtocolErrorCode.InvalidParams,
          `There is no prompt '${params.name.slice(0, 128)}'; the only one is ${prompt.name}.`,
        )
      const types = await resources.types(caller, mcpReq.signal)
      return {
        description: prompt.description,
        messages: [{ role: 'user', content: { type: 'text', text: workHere(types, params.arguments?.['type']) } }],
      }
    })
    server.setRequestHandler('completion/complete', async ({ params }, { mcpReq }) => {
      const { name, value } = params.argument
      return { completion: { values: name === 'type' ? await resources.completeType(caller, value, mcpReq.signal) : [] } }
    })
    return server
  }
}
