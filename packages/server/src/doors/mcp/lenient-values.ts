/** What models send for a value that the schema leaves no doubt about: an object as its JSON text, null for "nothing". */
import { WorkError } from '@work-manager/contract'

/** Reads JSON as strictly as a body is read. Refuses with a WorkError. */
export type ParseJson = (text: string) => unknown

interface Node {
  readonly type?: string | readonly string[]
  readonly anyOf?: readonly Node[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly items?: Node
}

const kindOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)

/** The kinds of values that fit, or undefined where any does. */
function kindsOf(node: Node): ReadonlySet<string> | undefined {
  if (node.anyOf) {
    const branches = node.anyOf.map(kindsOf)
    return branches.includes(undefined) ? undefined : new Set(branches.flatMap((kinds) => [...kinds!]))
  }
  if (node.enum) return new Set(node.enum.map(kindOf))
  if ('const' in node) return new Set([kindOf(node.const)])
  if (node.type === undefined) return undefined
  return new Set(typeof node.type === 'string' ? [node.type] : node.type)
}

/**
 * An object or a list that came as its JSON text, read where no text fits. Refuses with: validation_failed (text that is no JSON where only
 * an object or a list fits).
 */
export function repaired(argument: string, value: unknown, shape: object, parse: ParseJson): unknown {
  if (typeof value !== 'string') return value
  const kinds = kindsOf(shape)
  if (kinds === undefined || kinds.has('string') || !(kinds.has('object') || kinds.has('array'))) return value
  if (!/^\s*[[{]/.test(value)) return value
  let read: unknown
  try {
    read = parse(value)
  } catch (error) {
    if (!(error instanceof WorkError)) throw error
    const message = `'${argument}' is text that is no valid JSON (${error.message.replace(/^The body is not valid JSON: /, '').replace(/\.$/, '')}); send the object itself.`
    throw new WorkError('validation_failed', { detail: message, errors: [{ field: argument, code: error.code, message }] })
  }
  return kinds.has(kindOf(read)) ? read : value
}

/** Without the members that are null where they may be left out and null says nothing more; what users define is left as it is. */
export function withoutNulls(value: unknown, shape: object): unknown {
  const node = shape as Node
  if (node.anyOf) {
    const fitting = node.anyOf.filter((branch) => kindsOf(branch)?.has(kindOf(value)))
    return fitting.length === 1 ? withoutNulls(value, fitting[0]!) : value
  }
  if (Array.isArray(value)) return node.items ? value.map((one) => withoutNulls(one, node.items!)) : value
  const { properties } = node
  if (typeof value !== 'object' || value === null || properties === undefined) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]): [string, unknown][] => {
      const member = Object.hasOwn(properties, name) ? properties[name] : undefined
      if (member === undefined) return [[name, inner]]
      const mayBeLeftOut = !(node.required ?? []).includes(name)
      return inner === null && mayBeLeftOut ? [] : [[name, withoutNulls(inner, member)]]
    }),
  )
}
