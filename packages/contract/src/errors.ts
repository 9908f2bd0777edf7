/**
 * The error catalogue: every refusal that any door can give. Code, HTTP status, whether to retry, what happened, what to do.
 * `docs/errors.md` is generated from it; a test checks that each code is raised somewhere.
 */
interface ErrorSpec {
  readonly status: number
  /** never: change the request. after_refresh: read the current state first. later: the same request may pass after a wait. */
  readonly retry: 'never' | 'after_refresh' | 'later'
  readonly title: string
  readonly fix: string
  /** A problem type that others registered for the same thing; ours where there is none. */
  readonly type?: string
}

export const errorCatalogue = {
  json_syntax: { status: 400, retry: 'never', title: 'The body is not valid JSON.', fix: 'Send one JSON object in UTF-8; JSON allows no comments, trailing commas or single quotes.' },
  json_root: { status: 400, retry: 'never', title: 'The body must be a JSON object.', fix: 'Send an object such as {"type":"…","payload":{…}}.' },
  json_too_deep: { status: 400, retry: 'never', title: 'The JSON is nested too deeply.', fix: 'Flatten the value; at most 64 levels are accepted.' },
  duplicate_key: { status: 400, retry: 'never', title: 'A JSON object holds the same key twice.', fix: 'Remove one of the two keys.' },
  forbidden_key: { status: 400, retry: 'never', title: 'A JSON object holds a key that is not accepted.', fix: 'Rename the key; __proto__, constructor.prototype and the like are refused.' },
  forbidden_character: { status: 422, retry: 'never', title: 'A string holds a character that cannot be stored.', fix: 'Remove U+0000 and unpaired surrogates.' },
  number_precision: { status: 422, retry: 'never', title: 'A number cannot be kept exactly.', fix: 'Send integers beyond ±9007199254740991 and numbers beyond the double range as strings.' },
  encoding: { status: 400, retry: 'never', title: 'The body is not UTF-8.', fix: 'Send UTF-8 without a byte order mark.' },
  unsupported_media_type: { status: 415, retry: 'never', title: 'The content type is not accepted.', fix: 'Send Content-Type: application/json.' },
  body_too_large: { status: 413, retry: 'never', title: 'The body is too large.', fix: 'Send large results in parts (POST /items/{item}/parts).' },
  body_required: { status: 400, retry: 'never', title: 'The request needs a JSON body.', fix: 'Send a JSON object with the fields that the operation names.' },
  no_such_route: { status: 404, retry: 'never', title: 'There is no such route.', fix: 'See /openapi.json for the list.' },
  method_not_allowed: { status: 405, retry: 'never', title: 'The route exists, but not with this method.', fix: 'Use a method that the Allow header names.' },
  bad_request: { status: 400, retry: 'never', title: 'The request is malformed.', fix: 'Check the request line and headers.' },
  auth_required: { status: 401, retry: 'never', title: 'No credentials were sent.', fix: 'Send Authorization: Bearer <key>; make a key with `work-manager keys create`.' },
  auth_malformed: { status: 401, retry: 'never', title: 'The credentials cannot be read.', fix: 'Send exactly: Authorization: Bearer wm_… (no quotes, no placeholder).' },
  key_unknown: { status: 401, retry: 'never', title: 'The key is not known.', fix: 'Check that the key belongs to this server; make a new one with `work-manager keys create`.' },
  key_expired: { status: 401, retry: 'never', title: 'The key has expired.', fix: 'Rotate it: `work-manager keys rotate`.' },
  key_revoked: { status: 401, retry: 'never', title: 'The key was revoked.', fix: 'Ask the owner of the tenant for a new one.' },
  scope_missing: { status: 403, retry: 'never', title: 'The key does not hold the ability that this operation needs.', fix: 'Use a key with the named ability.' },
  agents_cannot_decide: { status: 403, retry: 'never', title: 'An agent cannot approve, reject or decide.', fix: 'A person must decide, with a key bound to a person.' },
  separation_of_duties: { status: 403, retry: 'never', title: 'You took part in this order, so you cannot approve it.', fix: 'Ask another person; the type may allow self-approval with duties.selfApproval = "allow".' },
  forbidden_direct_mutation: { status: 403, retry: 'never', title: 'This change must come through a work order.', fix: 'Propose an order; its applier carries the context that this route asks for.' },
  host_refused: { status: 403, retry: 'never', title: 'The request names a host that this server does not answer for.', fix: 'Use the address that the server prints, or set server.public_url to the one you use.' },
  origin_refused: { status: 403, retry: 'never', title: 'Web pages of other sites may not use this endpoint.', fix: 'Call it from a program, or from a page on the host of server.public_url.' },
  not_found: { status: 404, retry: 'never', title: 'There is nothing with this id.', fix: 'Check the id; list orders with GET /orders.' },
  id_malformed: { status: 404, retry: 'never', title: 'This is not an id.', fix: 'Ids are UUIDs such as 01890a5d-ac96-774b-bcce-b302099a8057; take them from an earlier answer.' },
  order_type_not_found: { status: 404, retry: 'never', title: 'The order type is not registered.', fix: 'List the types with GET /types.' },
  validation_failed: { status: 422, retry: 'never', title: 'The request does not match what the operation or the type asks for.', fix: 'Correct the fields named in `errors` and send again.' },
  payload_invalid: { status: 422, retry: 'never', title: 'The payload does not match the schema of the order type.', fix: 'Correct the fields named in `errors`; the schema is at GET /types.' },
  verification_failed: { status: 422, retry: 'never', title: 'The submission did not pass the checks of its type.', fix: 'Correct what `errors` names and submit again under the same lease, with a new idempotency key.' },
  empty_plan: { status: 422, retry: 'never', title: 'The order type planned no items for this payload.', fix: 'Change the payload so that there is something to do.' },
  plan_failed: { status: 422, retry: 'never', title: 'The order type could not plan this payload.', fix: 'Correct the payload, or ask whoever maintains the type; the server log has the cause.' },
  already_planned: { status: 409, retry: 'never', title: 'The order already has items.', fix: 'An order is planned once; propose a new one to plan again.' },
  invalid_filter: { status: 400, retry: 'never', title: 'A filter, sort, include, field or page parameter is not accepted.', fix: 'Use the names that `detail` lists.' },
  cursor_invalid: { status: 400, retry: 'never', title: 'The cursor is not valid here.', fix: 'Start again without a cursor.' },
  idempotency_key_required: { status: 428, retry: 'never', title: 'This operation needs an idempotency key.', fix: 'Send Idempotency-Key: <a new UUID>, and repeat the same key when you retry the same request.' },
  idempotency_key_malformed: { status: 400, retry: 'never', title: 'The idempotency key is malformed.', fix: 'Send 1–255 printable ASCII characters, for example a UUID.' },
  idempotency_mismatch: { status: 422, retry: 'never', title: 'This idempotency key was used for another request.', fix: 'Use a new key for a new request.' },
  idempotency_in_progress: { status: 409, retry: 'later', title: 'The first request with this idempotency key is still running.', fix: 'Wait a second and repeat the same request with the same key.' },
  no_items_available: { status: 409, retry: 'later', title: 'No work items are available.', fix: 'Try later, or add ?wait=20 to wait for one.' },
  lease_limit_reached: { status: 409, retry: 'later', title: 'As many leases are in force as may be at a time.', fix: 'Finish or release an item you hold, or wait until others did; ?wait=20 waits for you.' },
  paused: { status: 409, retry: 'later', title: 'A person has paused this.', fix: 'Stop working on what you hold: its leases have ended. Ask again when Retry-After is over; only a person lifts a pause.' },
  lease_token_required: { status: 422, retry: 'never', title: 'This item needs the lease token.', fix: 'Send lease_token as checkout returned it.' },
  lease_error: { status: 409, retry: 'never', title: 'You do not hold the lease on this item.', fix: 'Stop working on it; check out again.' },
  lease_expired: { status: 409, retry: 'never', title: 'The lease on this work item has expired.', fix: 'Stop working on it; check out again, and heartbeat more often.' },
  lease_lost: { status: 409, retry: 'never', title: 'The lease that you name is no longer the live one.', fix: 'Stop working on it; another attempt may hold the item. Check out again.' },
  already_submitted: { status: 409, retry: 'never', title: 'The item was already handed in.', fix: 'Nothing to do; read the item to see its state.' },
  illegal_state_transition: { status: 409, retry: 'after_refresh', title: 'The order or item is not in a state that allows this.', fix: 'Read it again; `detail` names the current state and the ones that allow this.' },
  not_ready_for_approval: { status: 409, retry: 'after_refresh', title: 'Order is not ready for approval.', fix: 'See `errors` for what is missing.' },
  content_changed: { status: 412, retry: 'after_refresh', title: 'The order is not what you looked at any more.', fix: 'Read the order again, look at what changed, and approve its present digest.' },
  digest_required: { status: 422, retry: 'never', title: 'This server asks reviewers to name the digest they approve.', fix: 'Send {"digest":"…"} as GET /orders/{order} shows it.' },
  apply_failed: { status: 422, retry: 'after_refresh', title: 'Applying the order failed; nothing was changed.', fix: 'See last_apply_error on the order; correct the cause and approve again, or reject.' },
  parts_missing: { status: 422, retry: 'never', title: 'Required parts are missing.', fix: 'Submit the parts that `errors` names, or finalize with mode best_effort.' },
  parts_not_supported: { status: 422, retry: 'never', title: 'This order type takes no parts.', fix: 'Hand the whole result in with submit.' },
  too_many_parts: { status: 422, retry: 'never', title: 'The item has as many part revisions as the server allows.', fix: 'Finalize, or send fewer, larger parts.' },
  part_too_large: { status: 413, retry: 'never', title: 'The part is too large.', fix: 'Split it into several seq numbers of the same part_key.' },
  storage_low: { status: 507, retry: 'later', title: 'The disk is nearly full; the server takes no writes.', fix: 'Reading still works. Free disk space on the server.' },
  database_unavailable: { status: 503, retry: 'later', title: 'The database does not answer.', fix: 'Repeat the same request with the same idempotency key in a few seconds.' },
  rate_limited: {
    status: 429,
    retry: 'later',
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Too many requests.',
    fix: 'Wait as long as Retry-After says and repeat the same request with the same idempotency key. Heartbeats and hand-ins of work that you hold have a reserve of their own.',
  },
  busy: { status: 503, retry: 'later', title: 'A lock could not be had in time.', fix: 'Repeat the same request in a second.' },
  draining: { status: 503, retry: 'later', title: 'The server is shutting down.', fix: 'Repeat the request; another process or the next start will take it.' },
  internal: { status: 500, retry: 'later', title: 'Something broke inside the server.', fix: 'Give the request_id to whoever runs the server; its log has the cause.' },
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof errorCatalogue

/** One thing that is wrong, anchored to where it is. `field` is a dotted path relative to what was validated. */
export interface FieldError {
  readonly field: string
  readonly code: string
  readonly message: string
  readonly [extra: string]: unknown
}

export interface ErrorDetails {
  /** What exactly is wrong, with the names and values of this case. Defaults to the title. */
  readonly detail?: string
  /** What to do now; replaces the catalogue's general advice where this case allows a better one. */
  readonly fix?: string
  readonly errors?: readonly FieldError[]
  /** Extra members of the problem object (current_state, allowed, reason, header …). */
  readonly extra?: Readonly<Record<string, unknown>>
  readonly retryAfterSeconds?: number
}

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
  const spec: ErrorSpec = errorCatalogue[error.code]
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
