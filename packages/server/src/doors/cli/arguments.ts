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
