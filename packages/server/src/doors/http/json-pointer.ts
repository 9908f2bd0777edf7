/** Where in a JSON document something is (RFC 6901), and which of its keys could reach a prototype. */

const longestPointer = 200

/** The pointer to a place; `the root` for the document itself, cut when someone sends very long keys. */
export function jsonPointer(path: readonly (string | number)[]): string {
  if (path.length === 0) return 'the root'
  const pointer = path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  return pointer.length > longestPointer ? `${pointer.slice(0, longestPointer)}…` : pointer
}

/** `__proto__` anywhere, and `prototype` directly inside `constructor`. */
export function isPrototypeKey(key: string, parentKey: string | null): boolean {
  return key === '__proto__' || (key === 'prototype' && parentKey === 'constructor')
}
