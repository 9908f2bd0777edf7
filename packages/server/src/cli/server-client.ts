/** The command line's way to a server: our own SDK, with every failure explained in the words of a person at a terminal. */
import {
  createClient,
  type InputOf,
  type OperationName,
  type OutputOf,
  WorkManagerConnectionError,
  WorkManagerError,
} from '@work-manager/sdk'
import { CliError, exitOfStatus } from './cli-error.ts'
import { inertLine } from '../log/inert-text.ts'

export interface ServerTarget {
  /** An address with a path is taken as the base of the work routes, one without gets /api/work. */
  readonly url: string
  readonly key: string
  /** Where the key comes from, for messages; never the key. */
  readonly keyFrom: string
  readonly signal: AbortSignal
  /** The trace that the command belongs to (TRACEPARENT, as other command-line tools read it). */
  readonly traceparent?: string | null
}

export interface CallOptions {
  readonly idempotencyKey?: string | undefined
  readonly timeoutMs?: number
}

export interface Called<Output> {
  readonly status: number
  readonly body: Output
}

export interface ServerClient {
  /** Refuses with: unreachable, timeout, redirected, not_work_manager (exit 7), or what the server said, by status. */
  call<Name extends OperationName>(operation: Name, input: InputOf<Name>, options?: CallOptions): Promise<Called<OutputOf<Name>>>
}

/** A person at a terminal waits this long for a limit, and so often, not longer. */
const longestWaitMs = 30_000
const mostRepeats = 5

/** Only a limit of the server is waited for; all else is told at once. */
const retry = {
  attempts: mostRepeats + 1,
  totalMs: mostRepeats * longestWaitMs,
  on: (error: WorkManagerError | WorkManagerConnectionError) =>
    error instanceof WorkManagerError && error.status === 429 && error.retryAfterMs !== null && error.retryAfterMs <= longestWaitMs,
}

export function createServerClient({ url, key, keyFrom, signal, traceparent }: ServerTarget): ServerClient {
  const client = createClient({ url, key, retry })
  const base = new URL(url).pathname === '/' ? `${url.replace(/\/+$/, '')}/api/work` : url
  return {
    async call(operation, input, { idempotencyKey, timeoutMs } = {}) {
      try {
        const options = { signal, traceparent, idempotencyKey, timeoutMs }
        const { status, output } = await client.call(operation, input, options)
        return { status, body: output }
      } catch (error) {
        throw explained(error, { base, keyFrom, signal })
      }
    },
  }
}

function explained(cause: unknown, { base, keyFrom, signal }: { base: string; keyFrom: string; signal: AbortSignal }): unknown {
  if (cause instanceof WorkManagerError) {
    const where = cause.status === 401 ? ` (key from ${keyFrom})` : ''
    return new CliError(exitOfStatus(cause.status), cause.code, `${cause.detail}${where}${sentences(cause.problem.errors)}`, cause.fix, {
      members: cause.problem,
    })
  }
  if (signal.aborted)
    return new CliError(
      'interrupted',
      'interrupted',
      'Interrupted before the server answered.',
      'If this was a change, look at the order before you repeat it.',
      { cause },
    )
  return cause instanceof WorkManagerConnectionError ? unreachable(base, cause) : cause
}

function unreachable(base: string, cause: WorkManagerConnectionError): CliError {
  const told = (code: string, message: string, fix: string) => new CliError('unreachable', code, message, fix, { cause })
  const { answer } = cause
  if (cause.reason === 'timeout') return told('timeout', cause.message, 'Look at the server’s log; reading /readyz says what it waits for.')
  if (answer === null)
    return told(
      'unreachable',
      `No server answers at ${base} (${cause.because}).`,
      'Start one here with `npx work-manager start`, or name another with --url or WORK_MANAGER_URL.',
    )
  if (answer.status >= 300 && answer.status < 400)
    return told(
      'redirected',
      `${base} redirects to ${inertLine(answer.location ?? 'somewhere else')}.`,
      'Name the final address with --url.',
    )
  return told(
    'not_work_manager',
    `What answers at ${base} is not Work Manager: status ${answer.status}, ${inertLine(answer.by)}.`,
    'Correct --url or WORK_MANAGER_URL; a proxy in between may answer in its place.',
  )
}

/** The refusal's list of what is wrong, one line each. It comes as a list or as field → sentences. */
function sentences(errors: unknown): string {
  if (typeof errors !== 'object' || errors === null) return ''
  const lines = Array.isArray(errors)
    ? errors.map(sentence)
    : Object.entries(errors).flatMap(([field, all]) => [all].flat().map((message) => sentence({ field, message })))
  return lines.map((line) => `\n  - ${inertLine(line)}`).join('')
}

function sentence(error: unknown): string {
  const { field, message } = error as { field?: unknown; message?: unknown }
  if (typeof message !== 'string') return JSON.stringify(error)
  return typeof field === 'string' && field !== '' ? `${field}: ${message}` : message
}
