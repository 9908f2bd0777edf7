/**
 * The error catalogue: every refusal that any door can give, merged from the rows of each part. `docs/errors.md` is generated from
 * it; a test checks that each code is raised somewhere.
 */
import { accessErrors } from './access/errors.ts'
import { readingErrors, requestErrors, serverErrors } from './kernel/error-rows.ts'
import type { ErrorDetails, ErrorSpec } from './kernel/errors.ts'
import { workErrors } from './work/errors.ts'

/** In the order in which docs/errors.md has its sections. */
const rows = { ...readingErrors, ...accessErrors, ...requestErrors, ...workErrors, ...serverErrors }
export type ErrorCode = keyof typeof rows
export const errorCatalogue: Readonly<Record<ErrorCode, ErrorSpec>> = rows

/** The one error class: a stable code, and what this case needs to teach. Doors translate it; nothing else crosses them. */
export class WorkError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails
  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(details.detail ?? errorCatalogue[code].title, options)
    this.name = 'WorkError'
    this.code = code
    this.details = details
  }
  get status(): number {
    return errorCatalogue[this.code].status
  }
}

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ErrorCode
  readonly detail: string
  readonly fix: string
  readonly retry: 'never' | 'after_refresh' | 'later'
  readonly request_id: string
  readonly message: string
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly [extra: string]: unknown }
  readonly errors?: unknown
  readonly [extra: string]: unknown
}

const shownErrors = 20

/**
 * The one refusal object of every door: RFC 9457 problem details plus the predecessor's members (`message`, `error`, `errors`).
 * `errors` is a list for payload errors of propose and a map field → sentences elsewhere, as its clients expect.
 */
export function toProblem(error: WorkError, requestId: string): Problem {
  const spec = errorCatalogue[error.code]
  const { detail, fix, errors, extra } = error.details
  const all = errors ?? []
  const shown = all.slice(0, shownErrors)
  const problem = {
    type: spec.type ?? `urn:work-manager:error:${error.code}`,
    title: spec.title,
    status: spec.status,
    code: error.code,
    detail: detail ?? spec.title,
    fix: fix ?? spec.fix,
    retry: spec.retry,
    request_id: requestId,
    message: detail ?? spec.title,
    error: { code: error.code, message: detail ?? spec.title, ...extra },
    ...extra,
  }
  if (all.length === 0) return problem
  const omitted = all.length > shown.length ? { errors_omitted: all.length - shown.length } : {}
  if (error.code === 'payload_invalid') return { ...problem, errors: shown, ...omitted }
  const byField: Record<string, string[]> = {}
  for (const e of shown) (byField[e.field] ??= []).push(e.message)
  return { ...problem, errors: byField, error_list: shown, ...omitted }
}
