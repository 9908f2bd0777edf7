/** PostgreSQL array literals, written by hand on the hot path: `pg` looks at each element's type and replaces twice in each. */

const plain = /^[A-Za-z0-9_.:@/+=-]+$/

/** `null` becomes NULL; a text that would be read as NULL is quoted. */
export function arrayLiteral(values: ReadonlyArray<string | null>): string {
  let text = '{'
  for (let n = 0; n < values.length; n++) {
    if (n > 0) text += ','
    const value = values[n]!
    if (value === null) text += 'NULL'
    else if (plain.test(value) && value.length !== 4) text += value
    else text += `"${value.includes('\\') || value.includes('"') ? value.replaceAll(/[\\"]/g, String.raw`\$&`) : value}"`
  }
  return `${text}}`
}

export const byteaArrayLiteral = (values: ReadonlyArray<Buffer | null>): string =>
  `{${values.map((value) => (value === null ? 'NULL' : String.raw`"\\x${value.toString('hex')}"`)).join(',')}}`
