/** RFC 8785 canonical JSON: equal values give equal bytes whatever the order of their keys. */
import canonicalizeModule from 'canonicalize'

const canonicalize = canonicalizeModule as unknown as (value: unknown) => string | undefined

/** The canonical text of a JSON value; `undefined` counts as null. */
export function canonicalJson(value: unknown): string {
  return canonicalize(value) ?? 'null'
}
