/**
 * Refusals: code, HTTP status, whether to retry, what happened, what to do. Each part of the product brings the rows of its own;
 * the catalogue of them all, and the error that is thrown, are in ../errors.ts.
 */
export interface ErrorSpec {
  readonly status: number
  /** never: change the request. after_refresh: read the current state first. later: the same request may pass after a wait. */
  readonly retry: 'never' | 'after_refresh' | 'later'
  readonly title: string
  readonly fix: string
  /** The same for whoever calls tools and knows no HTTP, where the names of tools and arguments alone do not say it. */
  readonly tools?: { readonly title?: string; readonly fix?: string }
  /** A problem type that others registered for the same thing; ours where there is none. */
  readonly type?: string
  /** Heading of docs/errors.md under which it stands. */
  readonly section: string
}

export function defineErrors<const Codes extends string>(section: string, rows: Readonly<Record<Codes, Omit<ErrorSpec, 'section'>>>): Readonly<Record<Codes, ErrorSpec>> {
  const entries = Object.entries<Omit<ErrorSpec, 'section'>>(rows).map(([code, row]) => [code, { ...row, section }])
  return Object.fromEntries(entries) as Readonly<Record<Codes, ErrorSpec>>
}

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
