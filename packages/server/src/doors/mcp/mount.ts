/**
 * Streamable HTTP at /mcp: who comes, with which key, saying what; then the SDK answers, for the clients of 2025 and of 2026-07-28
 * alike. Stateless: any process answers any request, and nothing but the key says who calls.
 */
import { randomUUID } from 'node:crypto'
import { correlationHeader, sessionHeader } from '../../kernel/operations/story.ts'
import { CLIENT_INFO_META_KEY, createMcpHandler, TRACEPARENT_META_KEY, TRACESTATE_META_KEY } from '@modelcontextprotocol/server'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { WorkError } from '@work-manager/contract'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { callerIp } from '../../addresses/ip-address.ts'
import { largeBytes } from '../../kernel/breathe.ts'
import type { Principal } from '../../kernel/principal.ts'
import type { Operation } from '../../kernel/operations/operation.ts'
import type { OperationRunner } from '../../kernel/operations/run-operation.ts'
import { toolCallOf } from '../../tracing/attributes.ts'
import { readTraceparent } from '../../tracing/traceparent.ts'
import { describeError } from '../../log/describe-error.ts'
import type { WorkSignal } from '../../kernel/signals/work-signal.ts'
import { forAnyAccept, frameFor } from './accept.ts'
import { ourToolName } from './call-tool.ts'
import { Caller, type CallerParts, headerValue } from './caller.ts'
import { Cancellations } from './cancellations.ts'
import { addReviewPage } from './review-page.ts'
import { McpDoor } from './server.ts'
import { assertWelcome, neighbourhoodOf } from './who-may-come.ts'
import { problemInWords, type Words } from './words.ts'

export interface McpMountOptions {
  readonly operations: readonly Operation[]
  readonly runOperation: OperationRunner
  /** Counts a message against the limits of its principal. Refuses with: rate_limited. */
  readonly count: (principal: Principal, isNote: boolean) => unknown
  readonly authenticate: (authorizationHeader: string | undefined, address: string | undefined) => Principal | Promise<Principal>
  /** The HTTP door's strict reader of bodies, so that JSON means the same at both doors. */
  readonly parseBody: (bytes: Buffer) => Record<string, unknown>
  /** The same for a large one, in turns with other requests. */
  readonly parseLargeBody: (bytes: Buffer) => Promise<Record<string, unknown>>
  /** Closes the connection of a client that does not take what is written to it. */
  readonly mustBeRead: (response: ServerResponse) => void
  /** Names that the server goes by: its public URL, the host it listens on. */
  readonly names: readonly (string | undefined)[]
  /** Where the work routes are served: the review page is one of them. */
  readonly mounts: readonly string[]
  readonly anonymizeIp: boolean
  readonly storage: () => 'ok' | 'low' | 'read_only'
  readonly draining: () => boolean
  readonly log: Logger
  readonly version: string
  readonly signal: Pick<WorkSignal, 'on' | 'wake'>
}

export const mcpPath = '/mcp'
/** Names a client among those of one key, so that its cancellations are told from others'. We keep nothing under it. */
const clientHeader = 'mcp-session-id'
type Message = {
  readonly id?: unknown
  readonly method?: unknown
  readonly params?: {
    readonly _meta?: Record<string, unknown>
    readonly name?: unknown
    readonly arguments?: unknown
    readonly requestId?: unknown
  }
}

/** Adds the endpoint. Refusals before the protocol starts (host, origin, key, size) are the problem objects of HTTP. */
export function mountMcp(app: FastifyInstance, options: McpMountOptions): void {
  const door = new McpDoor(options.operations, options.version)
  const neighbourhood = neighbourhoodOf(options.names)
  const handler = createMcpHandler(({ authInfo, era }) => door.serverFor(authInfo?.extra?.['caller'] as Caller, era), {
    onerror: (error) => options.log.debug({ error: error.message }, 'mcp'),
  })
  const cancellations = new Cancellations(options.signal, (error) =>
    options.log.warn({ err: describeError(error) }, 'what a client gave up could not be taken back'),
  )
  const answer = toNodeHandler(forAnyAccept(handler), {
    onerror: (error) => options.log.error({ error: error.message, stack: error.stack }, 'mcp request failed'),
  })

  const admitted = new WeakMap<FastifyRequest, { readonly principal: Principal; readonly ip: string | undefined }>()
  /** Before a byte of the body is read. */
  const admit = async (request: FastifyRequest): Promise<void> => {
    assertWelcome(neighbourhood, request.headers)
    if (request.method === 'POST') frameFor(request.headers)
    if (options.draining()) throw new WorkError('draining')
    if (/[?&](access_token|token|key|api_key)=/i.test(request.url))
      throw new WorkError('bad_request', {
        detail: 'The address holds a key; addresses end up in logs.',
        fix: 'Send Authorization: Bearer <key>, take the key out of the address, and rotate it.',
      })
    const ip = callerIp(request.ip, request.socket.remoteAddress)
    admitted.set(request, { principal: await options.authenticate(request.headers.authorization, ip), ip })
  }

  const serve = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { principal, ip } = admitted.get(request)!
    const bytes = request.body as Buffer | undefined
    let message: Message | undefined
    if (request.method === 'POST' && bytes !== undefined) {
      try {
        message = bytes.length < largeBytes ? options.parseBody(bytes) : await options.parseLargeBody(bytes)
      } catch (error) {
        if (!(error instanceof WorkError)) throw error
        sendUnreadable(reply, error, request.id, door.words)
        return
      }
    }
    if (!runsOperation(message, door)) await options.count(principal, message?.id === undefined)
    const oddArguments = oddArgumentsOf(message)
    if (message && oddArguments !== undefined) message = { ...message, params: { ...message.params, arguments: {} } }
    const meta = message?.params?._meta
    const client = textOf(request.headers[clientHeader])
    const callOf = (id: unknown) => JSON.stringify([principal.tenantId, principal.keyId ?? principal.name, client ?? [ip], id])
    if (message?.method === 'notifications/cancelled') cancellations.cancel(callOf(message.params?.requestId), client !== undefined)
    const followed = message?.method === 'tools/call' && message.id !== undefined ? cancellations.follow(callOf(message.id)) : undefined
    const caller = new Caller({
      principal,
      headers: withClientInfo(request.headers, meta?.[CLIENT_INFO_META_KEY]),
      ip,
      anonymizeIp: options.anonymizeIp,
      origin: `${request.protocol}://${request.headers.host}`,
      requestId: request.id,
      correlationId: request.correlationId,
      sentStory: sentStory(request.headers, meta),
      ...sentTrace(request.headers, meta),
      tool:
        message?.method === 'tools/call'
          ? toolCallOf(typeof message.params?.name === 'string' ? ourToolName(message.params.name) : undefined, meta)
          : undefined,
      readOnly: options.storage() === 'read_only',
      oddArguments,
      bodyBytes: bytes?.length ?? 0,
      followed,
      untilSent: (gone) => void (reply.raw.destroyed ? gone() : reply.raw.once('close', gone)),
      count: () => options.count(principal, false),
      runOperation: options.runOperation,
      parseBody: options.parseBody,
      words: door.words,
      log: options.log,
    })
    reply.hijack()
    options.mustBeRead(reply.raw)
    reply.raw.setHeader('x-request-id', request.id)
    reply.raw.setHeader(correlationHeader, request.correlationId)
    reply.raw.setHeader('cache-control', 'private, no-store')
    if (message?.method === 'initialize') reply.raw.setHeader(clientHeader, client ?? randomUUID())
    if (followed) reply.raw.once('close', () => followed.over(reply.raw.writableFinished))
    const authorized = Object.assign(request.raw, {
      auth: { token: '', clientId: principal.name, scopes: [...principal.abilities], extra: { caller } },
    })
    await answer(authorized, reply.raw, message ?? {})
  }
  app.route({ method: ['GET', 'POST', 'DELETE'], url: mcpPath, handler: serve, onRequest: admit })
  addReviewPage(app, options.mounts)
  app.addHook('preClose', () => {
    cancellations.close()
    return handler.close()
  })
}

/** Operations are counted where they run. All other messages cost something, too: what they answer is made anew each time. */
function runsOperation(message: Message | undefined, door: McpDoor): boolean {
  if (message?.method === 'resources/read') return true
  return message?.method === 'tools/call' && typeof message.params?.name === 'string' && door.hasTool(ourToolName(message.params.name))
}

function oddArgumentsOf(message: Message | undefined): unknown {
  const given = message?.method === 'tools/call' ? message.params?.arguments : undefined
  return given === undefined || given === null || (typeof given === 'object' && !Array.isArray(given)) ? undefined : given
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** What the client said about this very message comes before what some proxy said about its transport. */
function sentTrace(
  headers: IncomingHttpHeaders,
  meta: Record<string, unknown> | undefined,
): Pick<CallerParts, 'traceparent' | 'tracestate'> {
  const traceparent = readTraceparent(meta?.[TRACEPARENT_META_KEY])
  if (traceparent !== null) return { traceparent, tracestate: textOf(meta?.[TRACESTATE_META_KEY]) }
  return { traceparent: readTraceparent(headers.traceparent), tracestate: textOf(headers.tracestate) }
}

/** The same for its story: members of `_meta`, else headers. */
const sentStory = (headers: IncomingHttpHeaders, meta: Record<string, unknown> | undefined): CallerParts['sentStory'] => ({
  correlation: meta?.['dev.workmanager/correlation-id'] ?? headers[correlationHeader],
  session: meta?.['dev.workmanager/session-key'] ?? headers[sessionHeader],
})

/** Name and version that a client of 2026 gives with every request stand for X-Agent-Name and X-Agent-Version where those are not sent. */
function withClientInfo(headers: IncomingHttpHeaders, info: unknown): IncomingHttpHeaders {
  if (typeof info !== 'object' || info === null) return headers
  const claim = (name: 'name' | 'version') => {
    const value = (info as Record<string, unknown>)[name]
    return typeof value === 'string' && /^[^\p{C}\p{Zl}\p{Zp}]{1,255}$/u.test(value) ? headerValue(value) : undefined
  }
  return {
    ...headers,
    'x-agent-name': headers['x-agent-name'] ?? claim('name'),
    'x-agent-version': headers['x-agent-version'] ?? claim('version'),
  }
}

/** A body that is no JSON object: what JSON-RPC says for it, with our own object beside it. */
function sendUnreadable(reply: FastifyReply, error: WorkError, requestId: string, words: Words): void {
  const problem = problemInWords(error, requestId, words)
  const code = error.code === 'json_syntax' || error.code === 'encoding' ? -32_700 : -32_600
  reply
    .code(400)
    .headers({ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'private, no-store', 'x-request-id': requestId })
  reply.send(
    JSON.stringify({
      jsonrpc: '2.0',
      id: null,
      error: {
        code,
        message: `${problem.detail} ${error.code === 'json_root' ? 'Send one message per request.' : problem.fix}`,
        data: problem,
      },
    }),
  )
}
