/**
 * The values of `format`, each judged exactly: those of JSON Schema by TypeBox's functions, which pass every case of the official suite,
 * the others here. A format that is not in this table is refused at definition.
 */
import { Format } from 'typebox/format'

const ofStandard = [
  'date',
  'date-time',
  'duration',
  'email',
  'hostname',
  'idn-email',
  'idn-hostname',
  'ipv4',
  'ipv6',
  'iri',
  'iri-reference',
  'json-pointer',
  'json-pointer-uri-fragment',
  'regex',
  'relative-json-pointer',
  'time',
  'uri',
  'uri-reference',
  'uri-template',
  'uuid',
] as const

const isWebUrl = (text: string): boolean => /^(https?|ftp):\/\//i.test(text) && URL.canParse(text)
const isWhole = (value: number, bits: number): boolean => Number.isInteger(value) && value >= -(2 ** (bits - 1)) && value < 2 ** (bits - 1)

type FormatTest = (value: never) => boolean
const tests = new Map<string, { readonly type: 'string' | 'number'; readonly test: FormatTest }>()
for (const name of ofStandard) tests.set(name, { type: 'string', test: (text: string) => Format.Test(name, text) })
tests.set('url', { type: 'string', test: isWebUrl })
tests.set('byte', { type: 'string', test: (text: string) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text) })
tests.set('binary', { type: 'string', test: () => true })
tests.set('password', { type: 'string', test: () => true })
tests.set('int32', { type: 'number', test: (value: number) => isWhole(value, 32) })
tests.set('int64', { type: 'number', test: (value: number) => isWhole(value, 64) })
tests.set('float', { type: 'number', test: () => true })
tests.set('double', { type: 'number', test: () => true })

export const isFormat = (name: unknown): name is string => tests.has(name as string)

/** Values of another type than the format is for are none of its business. */
export function fitsFormat(name: string, value: unknown): boolean {
  const { type, test } = tests.get(name)!
  return typeof value !== type || test(value as never)
}
