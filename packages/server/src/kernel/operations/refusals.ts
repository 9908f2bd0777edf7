/** What an operation may refuse with: what it lists, and what any request can get. */
import { errorCatalogue, type ErrorCode } from '@work-manager/contract'
import type { Operation } from './operation.ts'

/** The caller is not known, or may not; the shape is wrong. */
const codes: readonly ErrorCode[] = [
  'auth_required',
  'auth_malformed',
  'key_unknown',
  'key_expired',
  'key_revoked',
  'scope_missing',
  'agents_cannot_decide',
  'host_refused',
  'origin_refused',
  'id_malformed',
  'validation_failed',
]
const sections: ReadonlySet<string> = new Set(['Reading the request', 'Idempotency', 'The server itself'])

const ofAnyRequest: ReadonlySet<ErrorCode> = new Set([
  ...codes,
  ...(Object.keys(errorCatalogue) as ErrorCode[]).filter((code) => sections.has(errorCatalogue[code].section)),
])

/** As the references show them: its own, and who may not call it. */
export function refusalsOf({ refuses, peopleOnly }: Pick<Operation, 'refuses' | 'peopleOnly'>): readonly ErrorCode[] {
  return [...new Set([...refuses, ...(peopleOnly ? (['agents_cannot_decide'] as const) : [])])]
}

export const mayRefuseWith = (operation: Pick<Operation, 'refuses'>, code: ErrorCode): boolean =>
  operation.refuses.includes(code) || ofAnyRequest.has(code)
