/** The refusals that any request can meet, whatever it is about. */
import { defineErrors } from './errors.ts'

/** The request cannot be read, or leads nowhere. */
export const readingErrors = {
  ...defineErrors('Reading the request', {
    json_syntax: { status: 400, retry: 'never', title: 'The body is not valid JSON.', fix: 'Send one JSON object in UTF-8; JSON allows no comments, trailing commas or single quotes.', tools: { title: 'The message is not valid JSON.' } },
    json_root: {
      status: 400,
      retry: 'never',
      title: 'The body must be a JSON object.',
      fix: 'Send an object such as {"type":"…","payload":{…}}.',
      tools: { title: 'The message must be a JSON object.', fix: 'Send one JSON-RPC message as an object.' },
    },
    json_too_deep: { status: 400, retry: 'never', title: 'The JSON is nested too deeply.', fix: 'Flatten the value; at most 64 levels are accepted.' },
    duplicate_key: { status: 400, retry: 'never', title: 'A JSON object holds the same key twice.', fix: 'Remove one of the two keys.' },
    forbidden_key: { status: 400, retry: 'never', title: 'A JSON object holds a key that is not accepted.', fix: 'Rename the key; __proto__, constructor.prototype and the like are refused.' },
    forbidden_character: { status: 422, retry: 'never', title: 'A string holds a character that cannot be stored.', fix: 'Remove U+0000 and unpaired surrogates.' },
    number_precision: { status: 422, retry: 'never', title: 'A number cannot be kept exactly.', fix: 'Send integers beyond ±9007199254740991, and numbers with more digits than a double keeps, as strings.' },
    encoding: { status: 400, retry: 'never', title: 'The body is not UTF-8.', fix: 'Send UTF-8 without a byte order mark.', tools: { title: 'The message is not UTF-8.' } },
    unsupported_media_type: { status: 415, retry: 'never', title: 'The content type is not accepted.', fix: 'Send Content-Type: application/json.', tools: { title: 'The message is not sent as JSON.', fix: 'Send it as application/json.' } },
    not_acceptable: { status: 406, retry: 'never', title: 'The client takes no kind of answer that this endpoint gives.', fix: 'Send Accept: application/json, or leave it away.', tools: { fix: 'Accept application/json.' } },
    body_too_large: {
      status: 413,
      retry: 'never',
      title: 'The body is too large.',
      fix: 'Send large results in parts (POST /items/{item}/parts).',
      tools: { title: 'The call is too large.', fix: 'Hand in large results in parts: work_submit_part, then work_finalize.' },
    },
    body_required: {
      status: 400,
      retry: 'never',
      title: 'The request needs a JSON body.',
      fix: 'Send a JSON object with the fields that the operation names.',
      tools: { title: 'The call needs arguments.', fix: 'Send an object with the arguments that the tool names.' },
    },
    no_such_route: { status: 404, retry: 'never', title: 'There is no such route.', fix: 'See /openapi.json for the list.', tools: { title: 'There is no such tool.', fix: 'List the tools.' } },
    method_not_allowed: { status: 405, retry: 'never', title: 'The route exists, but not with this method.', fix: 'Use a method that the Allow header names.', tools: { title: 'This cannot be done here.', fix: 'List the tools.' } },
    correlation_id_malformed: { status: 400, retry: 'never', title: 'The correlation id is malformed.', fix: 'Send a UUID, or 8–128 letters, digits and . _ : / + = @ ~ - as X-Correlation-ID; or leave it away.' },
    session_key_malformed: { status: 400, retry: 'never', title: 'The session key is malformed.', fix: 'Send 1–128 letters, digits and . _ : / + = @ ~ - as X-Session-Key; or leave it away.' },
    bad_request: { status: 400, retry: 'never', title: 'The request is malformed.', fix: 'Check the request line and headers.', tools: { fix: 'Correct what the detail names.' } },
  }),
}

/** The request is read; what it names or holds is wrong. */
export const requestErrors = {
  ...defineErrors('Finding things', {
    not_found: { status: 404, retry: 'never', title: 'There is nothing with this id.', fix: 'Check the id; list orders with GET /orders.' },
    id_malformed: { status: 404, retry: 'never', title: 'This is not an id.', fix: 'Ids are UUIDs such as 01890a5d-ac96-774b-bcce-b302099a8057; take them from an earlier answer.' },
    invalid_filter: { status: 400, retry: 'never', title: 'A filter, sort, include, field or page parameter is not accepted.', fix: 'Use the names that `detail` lists.' },
    cursor_expired: { status: 400, retry: 'never', title: 'The cursor has ended.', fix: 'Start again without a cursor; one lasts for a day.' },
    cursor_invalid: { status: 400, retry: 'never', title: 'The cursor is not valid here.', fix: 'Start again without a cursor.' },
  }),
  ...defineErrors('Content', {
    validation_failed: { status: 422, retry: 'never', title: 'The request does not match what the operation or the type asks for.', fix: 'Correct the fields named in `errors` and send again.' },
  }),
  ...defineErrors('Idempotency', {
    idempotency_key_required: { status: 428, retry: 'never', title: 'This operation needs an idempotency key.', fix: 'Send Idempotency-Key: <a new UUID>, and repeat the same key when you retry the same request.' },
    idempotency_key_malformed: { status: 400, retry: 'never', title: 'The idempotency key is malformed.', fix: 'Send 1–255 printable ASCII characters, for example a UUID.' },
    idempotency_mismatch: { status: 422, retry: 'never', title: 'This idempotency key was used for another request.', fix: 'Use a new key for a new request.' },
    idempotency_in_progress: { status: 409, retry: 'later', title: 'The first request with this idempotency key is still running.', fix: 'Wait a second and repeat the same request with the same key.' },
  }),
}

/** The request is right; the server cannot take it now. */
export const serverErrors = {
  ...defineErrors('The server itself', {
    storage_low: { status: 507, retry: 'later', title: 'The disk is nearly full; the server takes no writes.', fix: 'Reading still works. Free disk space on the server.' },
    database_unavailable: { status: 503, retry: 'later', title: 'The database does not answer.', fix: 'Repeat the same request with the same idempotency key in a few seconds.' },
    rate_limited: {
      status: 429,
      retry: 'later',
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Too many requests.',
      fix: 'Wait as long as Retry-After says and repeat the same request with the same idempotency key. Heartbeats and hand-ins of work that you hold have a reserve of their own.',
    },
    record_behind: {
      status: 503,
      retry: 'later',
      title: 'The newest events could not be numbered in time, and a record with a gap is not shown.',
      fix: 'Repeat the request in some seconds. If it lasts, the server log names the tenant and the cause.',
    },
    busy: { status: 503, retry: 'later', title: 'Too much at once; nothing was done.', fix: 'Repeat the same request in a second.' },
    draining: { status: 503, retry: 'later', title: 'The server is shutting down.', fix: 'Repeat the request; another process or the next start will take it.' },
    internal: { status: 500, retry: 'later', title: 'Something broke inside the server.', fix: 'Give the request_id to whoever runs the server; its log has the cause.' },
  }),
}
