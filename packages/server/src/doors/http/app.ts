/**
 * The HTTP door: routes derived from the list of operations, requests translated into calls, results and refusals into answers.
 * It decides nothing: whether a call is allowed, valid or repeated is judged by the operation. Kept short per request, because
 * every checkout and heartbeat passes here: one hook, no schema work, no access log.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import { WorkError } from '@work-manager/contract'
import Fastify, { type FastifyHttpOptions, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Principal } from '../../kernel/principal.ts'
import { callerIp } from '../../addresses/ip-address.ts'
import { readProvenance } from '../../access/provenance.ts'
import type { Operation } from '../../kernel/operations/operation.ts'
import type { OperationAnswer, OperationRunner } from '../../kernel/operations/run-operation.ts'
import { readTraceparent, traceIdOf } from '../../tracing/traceparent.ts'
import { type Admission, rateLimitHeaders } from '../../rate-limits/admission.ts'
import { answerHeaders, jsonType, refuseBeforeBody, sendRefusal, sendRefusalWhileReading } from './answer.ts'
import { answerClientError, maxHeaderSize } from './client-error.ts'
import { inTurn, mustBeRead } from './connections.ts'
import { asRefusal } from './door-errors.ts'
import { defaultIdempotencyHeaders, readIdempotencyKey } from './idempotency-header.ts'
import { HttpCall } from './operation-call.ts'
import { parseQuery } from './query-string.ts'
import { checkBodyType, readBody, readLargeBody } from './request-body.ts'
import { requestIdOf } from './request-id.ts'
import { correlationHeader, isCorrelationId, readStory, sessionHeader } from '../../kernel/operations/story.ts'
import { routesOf, UnknownRoutes, type Route } from './route-table.ts'
import type { MetricsAccess } from './metrics-route.ts'
import { addSystemRoutes, systemPaths, type Health } from './system-routes.ts'

export interface HttpSettings {
  /** Where the operations are served; the first is the one that documents name. */
  readonly mounts?: readonly string[]
  readonly bodyLimitBytes?: number
  /** Whose X-Forwarded-For is believed: addresses or ranges of proxies; nobody's by default. */
  readonly trustProxy?: boolean | string | string[]
  readonly anonymizeIp?: boolean
  /** Lower-case names of the headers that may carry the idempotency key. */
  readonly idempotencyHeaders?: readonly string[]
  /** Calls that take longer are logged, unless waiting is what the operation does. */
  readonly slowRequestMs?: number
}

export interface HttpAppOptions {
  readonly operations: readonly Operation[]
  readonly runOperation: OperationRunner
  readonly authenticate: (authorizationHeader: string | undefined, address: string | undefined) => Principal | Promise<Principal>
  readonly settings?: HttpSettings
  readonly health: Health
  readonly metrics?: MetricsAccess
  readonly log: Logger
  readonly version: string
  /** `read_only` refuses writes; `low` is for people to see. */
  readonly storage?: () => 'ok' | 'low' | 'read_only'
  readonly draining: () => boolean
}

export const defaultMounts = ['/api/work', '/api/agent/work', '/agent/work'] as const
export const defaultBodyLimitBytes = 1024 * 1024

// A slow client may hold a connection this long and one check more, 10 s and 30 s: for its headers, and for the whole request.
const headersTimeout = 9_000
const requestTimeout = 29_000
const connectionsCheckingInterval = 1_000
// Idle between requests: longer than the 60 s of common load balancers, so that they close first.
const keepAliveTimeout = 65_000
const longestPathParameter = 200

declare module 'fastify' {
  interface FastifyRequest {
    /** Of the caller, or made up. */
    correlationId: string
  }
}

/** Builds the door over operations that are wired elsewhere; the caller listens and closes. */
export function createHttpApp(options: HttpAppOptions): FastifyInstance {
  const { settings = {} } = options
  const mounts = settings.mounts ?? defaultMounts
  const bodyLimitBytes = settings.bodyLimitBytes ?? defaultBodyLimitBytes
  const door = new Door(options, bodyLimitBytes)

  const serverOptions: FastifyHttpOptions<Server> = {
    logger: false,
    trustProxy: settings.trustProxy ?? false,
    bodyLimit: bodyLimitBytes,
    requestTimeout,
    keepAliveTimeout,
    // While draining, requests are answered by the door itself, so that they get the same object as everywhere.
    return503OnClosing: false,
    genReqId: (raw: IncomingMessage) => requestIdOf(raw),
    routerOptions: {
      ignoreTrailingSlash: true,
      maxParamLength: longestPathParameter,
      // Parsed by the door, which knows the operation: kept as text here.
      querystringParser: (text) => text as unknown as Record<string, unknown>,
    },
    http: { maxHeaderSize, headersTimeout, connectionsCheckingInterval },
    frameworkErrors: (error, request, reply) => door.refuse(error, request, reply, 'router'),
    clientErrorHandler: answerClientError,
  }
  const app = Fastify(serverOptions)
  // On every answer, refusals too: the caller's own, or one that it can go on with.
  app.decorateRequest('correlationId', '')
  app.addHook('onRequest', (request, reply, done) => {
    const sent = request.headers[correlationHeader]
    request.correlationId = isCorrelationId(sent) ? sent : randomUUID()
    reply.header(correlationHeader, request.correlationId)
    done()
  })

  // Every body is taken as bytes; its type is judged by the door, which can say what is wrong with it.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes.length > 0 ? bytes : undefined))

  // Before the body is read, so that requests behind another on their connection take up nothing but their headers.
  app.addHook('onRequest', (request, reply, done) =>
    inTurn(request.raw.socket, reply.raw, () => (request.is404 ? refuseUnknown(request, reply) : done())),
  )
  const routes = routesOf(options.operations)
  for (const route of routes) {
    const handler = (request: FastifyRequest, reply: FastifyReply): void => void door.serve(route, request, reply)
    const onRequest = (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
      try {
        const admitting = door.admit(route, request)
        // The framework's way of going on; a hook that is a promise costs one for each request.
        // oxlint-disable-next-line promise/no-callback-in-promise
        if (admitting) admitting.then(() => done(), done)
        else done()
      } catch (error) {
        done(error as Error)
      }
    }
    for (const mount of mounts) app.route({ method: route.operation.http.method, url: mount + route.path, handler, onRequest })
  }
  addSystemRoutes(app, { ...options, mounts })

  const unknown = new UnknownRoutes(routes, mounts, systemPaths)
  const refuseUnknown = (request: FastifyRequest, reply: FastifyReply): void =>
    refuseBeforeBody(request, reply, unknown.refusal(request.method, request.url.split('?', 1)[0]!))
  app.setNotFoundHandler(refuseUnknown)
  app.setErrorHandler((error, request, reply) => door.refuse(error, request, reply, request.routeOptions.url ?? 'router'))
  return app
}

interface Admitted {
  readonly principal: Principal
  readonly ip: string | undefined
}

/** What every request passes through. */
class Door {
  private readonly options: HttpAppOptions
  private readonly bodyLimitBytes: number
  private readonly idempotencyHeaders: readonly string[]
  private readonly provenance: { readonly anonymizeIp: boolean }
  private readonly slowRequestMs: number
  private readonly admitted = new WeakMap<FastifyRequest, Admitted>()

  constructor(options: HttpAppOptions, bodyLimitBytes: number) {
    this.options = options
    this.bodyLimitBytes = bodyLimitBytes
    this.idempotencyHeaders = options.settings?.idempotencyHeaders ?? defaultIdempotencyHeaders
    this.provenance = { anonymizeIp: options.settings?.anonymizeIp ?? false }
    this.slowRequestMs = options.settings?.slowRequestMs ?? 1_000
  }

  /** Before a byte of the body is read: can the server take it, can the body be read at all, who is it. */
  admit(route: Route, request: FastifyRequest): Promise<void> | undefined {
    const { headers } = request
    if (this.options.draining()) throw new WorkError('draining')
    if (route.writes) checkBodyType(headers)
    const ip = callerIp(request.ip, request.socket.remoteAddress)
    const known = this.options.authenticate(headers.authorization, ip)
    if (known instanceof Promise) return known.then((principal) => void this.admitted.set(request, { principal, ip }))
    this.admitted.set(request, { principal: known, ip })
    return undefined
  }

  async serve(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const startedAt = performance.now()
    let call: HttpCall | undefined
    try {
      call = this.translate(route, request, reply)
      const answer = await this.options.runOperation(route.operation, call)
      sendAnswer(reply, answer, request.id, call.counted)
      const tookMs = performance.now() - startedAt
      if (tookMs > this.slowRequestMs && route.operation.waits !== true) {
        const { traceparent } = call
        const line = {
          request_id: request.id,
          trace_id: traceIdOf(traceparent),
          operation: route.operation.name,
          took_ms: Math.round(tookMs),
        }
        this.options.log.warn(line, 'slow request')
      }
    } catch (error) {
      this.refuse(error, request, reply, route.operation.name, call?.counted)
    }
  }

  /** What it says is read when it was counted. */
  private translate(route: Route, request: FastifyRequest, reply: FastifyReply): HttpCall {
    const { headers } = request
    const bytes = request.body as Buffer | undefined
    const { principal, ip } = this.admitted.get(request)!
    if (route.writes && this.options.storage?.() === 'read_only') throw new WorkError('storage_low')
    const params = request.params as Record<string, string>
    const { sessionKey } = readStory(headers[correlationHeader], headers[sessionHeader])
    return new HttpCall(
      {
        principal,
        provenance: readProvenance(headers, principal, ip, this.provenance),
        requestId: request.id,
        correlationId: request.correlationId,
        sessionKey,
        bodyBytes: route.writes ? (bytes?.length ?? 0) : 0,
        readInput: () => inputOf(route, request.query as string, params, route.writes ? readBody(route, bytes) : undefined),
        readLargeInput: async () => inputOf(route, request.query as string, params, await readLargeBody(bytes!)),
        idempotencyKey: route.operation.idempotency === 'none' ? undefined : readIdempotencyKey(headers, this.idempotencyHeaders),
        fingerprintSource: route.source(params),
        traceparent: readTraceparent(headers.traceparent),
        tracestate: headers.tracestate as string | undefined,
      },
      reply.raw,
    )
  }

  /** Answers with the refusal that an error stands for. */
  refuse(error: unknown, request: FastifyRequest, reply: FastifyReply, operation: string, counted?: Admission): void {
    const refusal = asRefusal(error, {
      requestId: request.id,
      traceId: traceIdOf(readTraceparent(request.headers.traceparent)),
      operation,
      bodyLimitBytes: this.bodyLimitBytes,
      contentLength: request.headers['content-length'],
      log: this.options.log,
    })
    if (reply.sent) return
    if (refusal.code === 'body_too_large') sendRefusalWhileReading(request, reply, refusal)
    else if (counted) sendRefusal(reply, refusal, request.id, counted)
    else refuseBeforeBody(request, reply, refusal)
  }
}

/** The path wins over the body, the body over the query. */
function inputOf(
  route: Route,
  query: string,
  params: Record<string, string>,
  body: Record<string, unknown> | undefined,
): Record<string, unknown> {
  const input = parseQuery(query, route.query)
  if (body) Object.assign(input, body)
  for (const name of route.params) input[name] = params[name]
  return input
}

function sendAnswer(reply: FastifyReply, answer: OperationAnswer, requestId: string, counted: Admission): void {
  const headers = answerHeaders(jsonType, requestId)
  rateLimitHeaders(headers, counted)
  mustBeRead(reply.raw, answer.bytes.length)
  if (answer.replayed) headers['idempotent-replayed'] = 'true'
  if (answer.idempotencyExpires !== undefined) headers['idempotency-expires'] = answer.idempotencyExpires
  reply.code(answer.status).headers(headers).send(answer.bytes)
}
