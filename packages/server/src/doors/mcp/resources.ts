/** Resources: what can be read by address. Each one is an operation of the list, with its abilities and refusals. */
import { WorkError } from '@work-manager/contract'
import {
  ProtocolError,
  ProtocolErrorCode,
  type ReadResourceResult,
  type Resource,
  ResourceNotFoundError,
  type ResourceTemplateType,
} from '@modelcontextprotocol/server'
import type { Operation } from '../../kernel/operations/operation.ts'
import { requestSource } from '../../kernel/operations/request-source.ts'
import type { Caller } from './caller.ts'

const json = 'application/json'
const id = '([0-9A-Za-z-]{1,64})'

interface Kind {
  readonly template: ResourceTemplateType
  readonly pattern: RegExp
  readonly operation: string
  readonly member: string
}

const kinds: readonly Kind[] = [
  {
    template: {
      name: 'order',
      title: 'Order',
      uriTemplate: 'work://orders/{order_id}',
      mimeType: json,
      description: 'An order with its items, latest events and digest.',
    },
    pattern: new RegExp(`^work://orders/${id}$`),
    operation: 'get_order',
    member: 'order',
  },
  {
    template: {
      name: 'order-timeline',
      title: 'Timeline of an order',
      uriTemplate: 'work://orders/{order_id}/timeline',
      mimeType: json,
      description: 'Everything that happened to an order, oldest first.',
    },
    pattern: new RegExp(`^work://orders/${id}/timeline$`),
    operation: 'get_order_timeline',
    member: 'order',
  },
  {
    template: {
      name: 'item',
      title: 'Item',
      uriTemplate: 'work://items/{item_id}',
      mimeType: json,
      description: 'An item with every submission it ever had.',
    },
    pattern: new RegExp(`^work://items/${id}$`),
    operation: 'get_item',
    member: 'item',
  },
  {
    template: {
      name: 'order-type',
      title: 'Order type',
      uriTemplate: 'work://types/{type}',
      mimeType: json,
      description: 'The JSON Schemas of an order type: payload, item input, result, parts.',
    },
    pattern: /^work:\/\/types\/([\w.-]{1,120})$/,
    operation: 'list_order_types',
    member: 'type',
  },
]
/** As many as the protocol allows in one answer. */
const mostCompletions = 100
const typesOperation = 'list_order_types'

/** The resource that has the whole of what an answer is about, if there is one. */
export function resourceFor(answer: Readonly<Record<string, unknown>>): Pick<Resource, 'uri' | 'name' | 'title' | 'mimeType'> | undefined {
  for (const { template, member } of kinds) {
    const about = answer[member]
    const id = typeof about === 'object' && about !== null ? (about as { id?: unknown }).id : answer[`${member}_id`]
    if (typeof id !== 'string' || template.uriTemplate !== `work://${member}s/{${member}_id}`) continue
    return { uri: `work://${member}s/${id}`, name: `${template.name} ${id}`, title: template.title, mimeType: json }
  }
  return undefined
}

export interface DescribedType {
  readonly type: string
  readonly title: string
  readonly description: string
}

export class Resources {
  readonly templates: readonly ResourceTemplateType[] = kinds.map((kind) => kind.template)
  private readonly callable: ReadonlyMap<string, { operation: Operation; source: ReturnType<typeof requestSource> }>

  constructor(operations: readonly Operation[]) {
    this.callable = new Map(
      kinds.map((kind) => {
        const operation = operations.find((one) => one.name === kind.operation)
        if (!operation)
          throw new Error(`the resource ${kind.template.name} stands for the operation ${kind.operation}, which does not exist`)
        return [kind.operation, { operation, source: requestSource(operation) }]
      }),
    )
  }

  /** The order types, as far as the credential may see them. */
  async types(caller: Caller, signal: AbortSignal): Promise<readonly DescribedType[]> {
    try {
      const { bytes } = await caller.run(this.callable.get(typesOperation)!, { input: {}, signal })
      return (JSON.parse(bytes) as { types: DescribedType[] }).types
    } catch (error) {
      if (error instanceof WorkError && error.code === 'scope_missing') return []
      throw error
    }
  }

  async list(caller: Caller, signal: AbortSignal): Promise<Resource[]> {
    const types = await this.types(caller, signal)
    return types.map(({ type, title, description }) => ({ name: type, title, description, uri: `work://types/${type}`, mimeType: json }))
  }

  /** Names of order types that begin so, for clients that complete what a person types. */
  async completeType(caller: Caller, begun: string, signal: AbortSignal): Promise<string[]> {
    const types = await this.types(caller, signal)
    return types.flatMap(({ type }) => (type.startsWith(begun) ? [type] : [])).slice(0, mostCompletions)
  }

  /** Refuses with: invalid params, with the problem object of the refusal as its data. */
  async read(caller: Caller, uri: string, signal: AbortSignal): Promise<ReadResourceResult> {
    for (const kind of kinds) {
      const match = kind.pattern.exec(uri)
      if (!match) continue
      const { bytes } = await this.run(caller, kind, match[1]!, signal)
      if (kind.operation === typesOperation && bytes === '{"types":[]}')
        throw new ResourceNotFoundError(uri, `The order type ${match[1]} is not registered.`)
      return { contents: [{ uri, mimeType: json, text: bytes }] }
    }
    throw new ResourceNotFoundError(
      uri.slice(0, 200),
      `There is no such resource; resources are ${this.templates.map((one) => one.uriTemplate).join(', ')}.`,
    )
  }

  private async run(caller: Caller, kind: Kind, value: string, signal: AbortSignal): Promise<{ bytes: string }> {
    try {
      return await caller.run(this.callable.get(kind.operation)!, { input: { [kind.member]: value }, signal })
    } catch (error) {
      const problem = caller.problem(error, kind.operation)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `${problem.code}: ${problem.detail} ${problem.fix}`, problem)
    }
  }
}
