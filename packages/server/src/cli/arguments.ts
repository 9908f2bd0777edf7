/** Checks on option values. */
import { InvalidArgumentError } from 'commander'

/** A parser for whole numbers of a range. Refuses with: usage. */
export function wholeNumber(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= from && value <= to)) throw new InvalidArgumentError(`It takes a whole number from ${from} to ${to}.`)
    return value
  }
}

/** Collects an option that may be given several times. */
export function several(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value]
}

const unitSeconds = { s: 1, m: 60, h: 3600, d: 86_400 }

/** A span such as 30s, 15m, 2h or 90d, in seconds; a bare number is seconds. Refuses with: usage. */
export function duration(text: string): number {
  const [, digits = '', unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(text) ?? []
  if (digits === '') throw new InvalidArgumentError('It takes a span such as 30s, 15m, 2h or 90d.')
  return Number(digits) * unitSeconds[unit as keyof typeof unitSeconds]
}
