/** How answers look on the wire: the headers that every one carries, and refusals as problem details. */
import { toProblem, WorkError, type ErrorCode } from '@work-manager/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { hasBody } from './request-body.ts'
import { mustBeRead } from './connections.ts'
import { type Admission, noLimits, RateLimitedError, rateLimitHeaders } from '../../rate-limits/admission.ts'

export const jsonType = 'application/json; charset=utf-8'
const problemType = 'application/problem+json; charset=utf-8'

/** Seconds to wait where the refusal itself does not say; 1 for the rest. */
const waitSeconds: Partial<Record<ErrorCode, number>> = {
  draining: 2,
  database_unavailable: 5,
  internal: 5,
  no_items_available: 5,
  storage_low: 30,
}

/** Answers belong to one caller: nothing on the way may keep them or guess their type. */
export function answerHeaders(contentType: string, requestId: string): Record<string, string> {
  return {
    'content-type': contentType,
    'x-request-id': requestId,
    'cache-control': 'private, no-store',
    vary: 'Authorization',
    'x-content-type-options': 'nosniff',
  }
}

/** The headers and body of a refusal. */
export function renderRefusal(
  error: WorkError,
  requestId: string,
  counted: Admission = noLimits,
): { status: number; headers: Record<string, string>; body: string } {
  const problem = toProblem(error, requestId)
  const headers = answerHeaders(problemType, requestId)
  if (problem.retry === 'later') headers['retry-after'] = String(error.details.retryAfterSeconds ?? waitSeconds[error.code] ?? 1)
  rateLimitHeaders(headers, error instanceof RateLimitedError ? error.counted : counted)
  if (problem.status === 401)
    headers['www-authenticate'] =
      error.code === 'auth_required' ? 'Bearer realm="work-manager"' : 'Bearer realm="work-manager", error="invalid_token"'
  if (error.code === 'draining') headers['connection'] = 'close'
  if (error.code === 'unsupported_media_type') headers['accept-post'] = 'application/json'
  if (error.code === 'method_not_allowed') headers['allow'] = (problem['allowed'] as string[]).join(', ')
  return { status: problem.status, headers, body: JSON.stringify(problem) }
}

export function sendRefusal(reply: FastifyReply, error: WorkError, requestId: string, counted?: Admission): void {
  const { status, headers, body } = renderRefusal(error, requestId, counted)
  reply.code(status).headers(headers).send(body)
}

/** After an answer that came early, this much more of the request is read and thrown away, and pauses of this length are waited for. */
const mostDiscardedBytes = 64 * 1024 * 1024
const longestPauseMs = 1_000

/**
 * Refuses a body that is still being sent. Many clients send everything before they read, and closing under them would reset the
 * connection and lose the refusal: it is written at once, the rest of the body is discarded, and then the connection closes.
 */
export function sendRefusalWhileReading(request: FastifyRequest, reply: FastifyReply, error: WorkError): void {
  const { status, headers, body } = renderRefusal(error, request.id)
  const { raw: incoming } = request
  const { raw: outgoing } = reply.hijack()
  let discardedBytes = 0
  const close = (): void => {
    clearTimeout(pause)
    incoming.off('data', discard)
    outgoing.end()
  }
  const discard = (chunk: Buffer): void => {
    pause.refresh()
    discardedBytes += chunk.length
    if (discardedBytes > mostDiscardedBytes) close()
  }
  const pause = setTimeout(close, longestPauseMs)
  outgoing.writeHead(status, { ...headers, connection: 'close', 'content-length': Buffer.byteLength(body) })
  outgoing.write(body)
  incoming.on('data', discard).once('end', close).once('close', close).resume()
}

/** Refuses a request of which nothing but the headers may have been read; the rest is thrown away as it comes, not kept. */
export function refuseBeforeBody(request: FastifyRequest, reply: FastifyReply, error: WorkError): void {
  if (hasBody(request.headers) && !request.raw.complete) sendRefusalWhileReading(request, reply, error)
  else sendRefusal(reply, error, request.id)
}

/** A public, unauthenticated document. */
export function sendDocument(reply: FastifyReply, status: number, body: unknown, requestId: string): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  mustBeRead(reply.raw, text.length)
  reply.code(status).headers(answerHeaders(jsonType, requestId)).send(text)
}
