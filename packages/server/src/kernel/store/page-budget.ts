/**
 * How many bytes an answer may gather: rows hold payloads of a megabyte, so a count of rows says nothing about memory. The database cuts;
 * what does not fit never reaches this process.
 */
import sql from 'sql-template-tag'
import type { Queryable } from './tx.ts'

/** Of the rows of one answer. One row alone may be larger: it is shown all the same. */
export const pageBytes = 2 * 1024 * 1024

export interface Page<Row> {
  readonly rows: Row[]
  /** Whether there was more than fits, in rows or in bytes. */
  readonly more: boolean
}

/** Shared by everything that one answer reads. */
export class PageBudget {
  private left: number

  constructor(bytes: number = pageBytes) {
    this.left = bytes
  }

  /**
   * At most `size` rows of `list`, which reads one more, ending where the bytes do. Each statement that it runs has its text in `json`.
   * The first row is there whatever it holds, or no cursor could ever get past it.
   */
  page<Row extends { readonly json: string }>(q: Queryable, size: number, list: (q: Queryable) => Promise<Row[]>): Promise<Page<Row>> {
    return this.take(q, size, list, true)
  }

  /** Rows that are shown beside something else, and are left out where there is no room. */
  async beside<Row>(q: Queryable, list: (q: Queryable) => Promise<Row[]>): Promise<Row[]> {
    return (await this.take(q, Number.POSITIVE_INFINITY, list, false)).rows
  }

  private async take<Row>(q: Queryable, size: number, list: (q: Queryable) => Promise<Row[]>, first: boolean): Promise<Page<Row>> {
    let found = 0
    const rows = await list({
      query: async <One>(statement: Parameters<Queryable['query']>[0], name?: string) => {
        const within = await q.query<One & { json: string; wm_found: string }>(
          sql`
          select * from (
            select page.*, count(*) over () as wm_found, coalesce(sum(octet_length(page.json)) over
                (rows between unbounded preceding and 1 preceding), 0) as wm_before,
                row_number() over () as wm_number
              from (${statement}) page) counted
           where wm_before + octet_length(json) <= ${this.left} or (wm_number = 1 and ${first}::boolean)
           order by wm_number`,
          name && `${name}_within`,
        )
        found = Number(within[0]?.wm_found ?? 0)
        for (const row of within) this.left -= Buffer.byteLength(row.json)
        return within
      },
    })
    return { rows: rows.slice(0, size), more: found > Math.min(rows.length, size) }
  }
}
