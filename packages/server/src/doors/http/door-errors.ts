/** Whatever is thrown at the HTTP door → the refusal to send. Unknown errors are logged here, once, and nothing of their text leaves. */
import { WorkError } from '@work-manager/contract'
import type { Logger } from 'pino'
import { describeError } from '../../log/describe-error.ts'
import { TypeCrashed } from '../../work/order-types/type-crashed.ts'

interface ErrorContext {
  readonly requestId: string
  readonly traceId: string | null
  readonly operation: string
  readonly bodyLimitBytes: number
  readonly contentLength: string | undefined
  readonly log: Logger
}

/** The refusal for an error of the framework, of an operation, or of nobody we know. */
export function asRefusal(error: unknown, context: ErrorContext): WorkError {
  const { requestId, traceId, operation } = context
  const line = { request_id: requestId, trace_id: traceId, operation }
  if (error instanceof WorkError) {
    // A refusal for the caller, but a fault for whoever wrote the type.
    if (error.cause instanceof TypeCrashed)
      context.log.warn({ ...line, err: describeError(error.cause) }, 'the code of an order type failed')
    return error
  }
  const code = codeOf(error)
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const received = context.contentLength === undefined ? '' : `, the request announces ${context.contentLength}`
    return new WorkError('body_too_large', {
      detail: `The body may hold ${context.bodyLimitBytes} bytes${received}.`,
      extra: { limit: context.bodyLimitBytes },
    })
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new WorkError('unsupported_media_type')
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH')
    return new WorkError('bad_request', { detail: 'The body is not as long as Content-Length says.' })
  if (code === 'FST_ERR_BAD_URL')
    return new WorkError('bad_request', {
      detail: 'The path is not percent-encoded UTF-8.',
      fix: 'Write % as %25 and encode the path as UTF-8.',
    })
  if (code === 'FST_ERR_MAX_PARAM_LENGTH')
    return new WorkError('id_malformed', { detail: 'A segment of the path is too long to be an id.' })
  // The client went away while it was still sending; nobody reads the answer.
  if (code === 'ECONNRESET' || code === 'ABORT_ERR')
    return new WorkError('bad_request', { detail: 'The request ended before it was complete.' })
  context.log.error({ ...line, err: describeError(error) }, 'request failed')
  return new WorkError('internal')
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
}
