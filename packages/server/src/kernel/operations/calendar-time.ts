/** Moments that callers write: a date or an RFC 3339 time that the calendar really has, so that the database can read it, too. */
const written = /^((?!0000)\d{4}-\d\d-\d\d)(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)?)?$/i

/** `Date.parse` alone would take 31 February, '1' and prose. */
export function isCalendarTime(text: string): boolean {
  const [, date] = written.exec(text) ?? []
  const midnight = new Date(`${date}T00:00:00Z`)
  return date !== undefined && !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(date)
}
