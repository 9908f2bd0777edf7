/** Whatever is thrown at the HTTP door → the refusal to send. Unknown errors are logged here, once, and nothing of their text leaves. */
import { WorkError } from '@work-manager/contract'
import type { Logger } from 'pino'

interface ErrorContext {
  readonly requestId: string
  readonly operation: string
  readonly bodyLimitBytes: number
  readonly contentLength: string | undefined
  readonly log: Logger
}

/** The refusal for an error of the framework, of an operation, or of nobody we know. */
export function asRefusal(error: unknown, context: ErrorContext): WorkError {
  if (error instanceof WorkError) return error
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
  context.log.error({ request_id: context.requestId, operation: context.operation, error: describe(error) }, 'request failed')
  return new WorkError('internal')
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
}

/** Name, text, stack and code, and no other members: errors of drivers carry parameters and rows. */
function describe(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  const cause = error.cause === undefined ? {} : { cause: describe(error.cause) }
  return { name: error.name, message: error.message, stack: error.stack, code: codeOf(error), ...cause }
}
