/** What a story leaves behind, with everything blanked that differs from telling to telling: ids, tokens, times, where a call came from. */
import type { TestServer } from '../test-server.ts'

/** Ids and lease tokens become numbers in the order in which they turn up: the same one is the same number everywhere. */
export class Blanks {
  private readonly numbers = new Map<string, string>()

  /** Gives a text that is made from ids a name. */
  name(text: string, name: string): void {
    this.numbers.set(text, name)
  }

  blank(json: string): string {
    return json
      .replaceAll(/("(?:request_id|provenance_id|trace_id|correlation_id)":)"[^"]*"/g, '$1"<there>"')
      .replaceAll(/\bwl\.[\w.-]+/g, (token) => this.numbered('token', token))
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) => this.numbered('id', id))
      .replaceAll(/sha256:[0-9a-f]{64}/g, (digest) => this.numbers.get(digest) ?? digest)
      .replaceAll(/\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)/g, (time) =>
        time === '2026-07-01T00:00:00Z' ? time : '<time>',
      )
  }

  private numbered(kind: string, text: string): string {
    let name = this.numbers.get(text)
    if (name === undefined) this.numbers.set(text, (name = `<${kind} ${this.numbers.size + 1}>`))
    return name
  }
}

/** Table → its order of rows, in words that no id decides. Positions are the database's own. */
const tables: Readonly<Record<string, string>> = {
  orders: 'created_at, id',
  items: 'ordinal',
  submissions: 'decided_at, number',
  parts: 'created_at, part_key, revision',
  approvals: 'decided_at',
  effects: 'name, key',
  records: 'collection, key',
  idempotency: 'operation, created_at',
  record: 'position',
}
/** Counted by the whole database, or made from ids and a key. */
const ownToTheTelling = ['position', 'seq', 'seconds', 'key_hash', 'fingerprint']

export type Remains = Readonly<Record<string, readonly string[]>>

/** The rows of a tenant, table by table, as blanked JSON text. */
export async function remainsOf(server: TestServer, tenant: string, blanks: Blanks): Promise<Remains> {
  const remains: Record<string, string[]> = {}
  for (const [table, order] of Object.entries(tables)) {
    const rows = await server.database.sql<{ row: Record<string, unknown> }>(
      `select row_to_json(t) as row from ${table === 'record' ? table : `wm.${table}`} t where tenant_id = (select id from wm.tenants where slug = $1) order by ${order}`,
      [tenant],
    )
    remains[table] = rows.map(({ row }) => {
      for (const column of ownToTheTelling) delete row[column]
      return blanks.blank(JSON.stringify(row))
    })
  }
  return remains
}
