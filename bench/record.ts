/** What the record says after a run: events, how many of them have their number, and how many heartbeats were HOT updates. */
import pg from 'pg'

export interface Lag {
  /** Events without a number when the load ended. */
  readonly behind: number
  /** Until the sequencer had caught up. */
  readonly secondsToCatchUp: number
}

const giveUpAfterMs = 120_000

export class RecordReader {
  private readonly client: pg.Client
  private constructor(client: pg.Client) {
    this.client = client
  }

  /** With the owner's connection: row security hides the events of the tenants from it unless it is a superuser. */
  static async open(adminUrl: string): Promise<RecordReader> {
    const client = new pg.Client({ connectionString: adminUrl })
    await client.connect()
    return new RecordReader(client)
  }

  private async one<Row extends pg.QueryResultRow>(text: string): Promise<Row> {
    return (await this.client.query<Row>(text)).rows[0]!
  }

  /** Waits until every event has its number. */
  async lag(): Promise<Lag> {
    const begin = performance.now()
    const numbered = 'select coalesce(sum(seq), 0) from wm.ledger_heads'
    const { done, behind } = await this.one<{ done: string; behind: string }>(
      `select (${numbered}) as done, (select coalesce(sum(size), 0) from wm.intake) as behind`,
    )
    const events = Number(done) + Number(behind)
    while (Number((await this.one<{ n: string }>(`select (${numbered}) as n`)).n) < events) {
      if (performance.now() - begin > giveUpAfterMs) return { behind: Number(behind), secondsToCatchUp: Infinity }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return { behind: Number(behind), secondsToCatchUp: (performance.now() - begin) / 1000 }
  }

  async hotShare(): Promise<number> {
    const { share } = await this.one<{ share: number }>(
      `select n_tup_hot_upd::float8 / greatest(n_tup_upd, 1) as share from pg_stat_user_tables where schemaname = 'wm' and relname = 'items'`,
    )
    return share
  }

  close(): Promise<void> {
    return this.client.end()
  }
}
