/** What a POST may carry: nothing, or one JSON object in plain UTF-8. */
import type { IncomingHttpHeaders } from 'node:http'
import { WorkError } from '@work-manager/contract'
import type { Route } from './route-table.ts'
import { parseJsonObject, parseLargeJsonObject } from './strict-json.ts'

const jsonTypePattern = /^application\/json\s*(?:;\s*charset\s*=\s*(?:utf-?8|"utf-?8")\s*)?;?$/i

/** Whether bytes follow the headers. */
export const hasBody = (headers: IncomingHttpHeaders): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

/**
 * Looks at the headers alone, before anything is parsed.
 * Refuses with: unsupported_media_type.
 */
export function checkBodyType(headers: IncomingHttpHeaders): void {
  const coding = headers['content-encoding']
  if (coding !== undefined && coding !== 'identity') {
    throw new WorkError('unsupported_media_type', {
      detail: `The body is compressed (Content-Encoding: ${coding.slice(0, 64)}).`,
      fix: 'Send the body uncompressed, without Content-Encoding.',
    })
  }
  const type = headers['content-type']
  if (type === 'application/json' || (type !== undefined && jsonTypePattern.test(type))) return
  if (type === undefined && !hasBody(headers)) return
  throw new WorkError('unsupported_media_type', {
    detail: type === undefined ? 'The body has no Content-Type.' : `The content type ${JSON.stringify(type.slice(0, 64))} is not accepted.`,
  })
}

/**
 * The members that the body gives. A missing body is an empty object where the operation needs none of its members.
 * Refuses with: body_required, and everything that parseJsonObject refuses with.
 */
export function readBody(route: Route, bytes: Buffer | undefined): Record<string, unknown> {
  return bytes === undefined ? withoutBody(route) : parseJsonObject(bytes)
}

/** The same for a large body. */
export const readLargeBody = (bytes: Buffer): Promise<Record<string, unknown>> => parseLargeJsonObject(bytes)

function withoutBody(route: Route): Record<string, unknown> {
  if (route.bodyMembers.length === 0) return {}
  throw new WorkError('body_required', {
    detail: `The request needs a JSON object with ${route.bodyMembers.join(', ')}.`,
    fix: `Send Content-Type: application/json and a body such as ${exampleOf(route)}; see /openapi.json.`,
  })
}

function exampleOf(route: Route): string {
  return `{${route.bodyMembers.map((member) => `"${member}":…`).join(',')}}`
}
