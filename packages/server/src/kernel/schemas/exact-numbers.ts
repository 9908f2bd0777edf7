/** Arithmetic on numbers as they are written, not as binary fractions: 19.99 is 1999 times 0.01. */

interface Decimal {
  readonly digits: bigint
  /** Of ten. */
  readonly exponent: number
}

/** The number that a text such as `-12.5e3` writes. */
function decimalOf(text: string): Decimal {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)!
  return { digits: BigInt(`${sign}${whole}${fraction}`), exponent: Number(exponent) - fraction.length }
}

/** Whether `value` is a whole multiple of `divisor`, both taken by their shortest decimal spelling. */
export function isMultipleOf(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0
  const a = decimalOf(String(value))
  const b = decimalOf(String(divisor))
  const shared = Math.min(a.exponent, b.exponent)
  return (a.digits * 10n ** BigInt(a.exponent - shared)) % (b.digits * 10n ** BigInt(b.exponent - shared)) === 0n
}

/** Digits without zeros at their ends, and the exponent that goes with them: equal for equal numbers however they are written. */
function shortest(text: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)!
  const all = `${whole}${fraction}`.replace(/^0+/, '')
  let end = all.length
  while (end > 0 && all.charCodeAt(end - 1) === 0x30) end--
  return end === 0 ? '0' : `${sign}${all.slice(0, end)}e${Number(exponent) - fraction.length + (all.length - end)}`
}

/** Whether a JSON number, as it was written, is still the same number after it was read and written again. */
export function isKeptExactly(literal: string): boolean {
  const value = Number(literal)
  return Number.isFinite(value) && shortest(literal) === shortest(String(value))
}
