/** Carrying rows from one database to another as text, exactly: what a dump and a restore do, and what moving a tenant does. */
import type pg from 'pg'

/** Tables of the schema with what can be written of their rows, parents before what hangs on them. */
async function tablesOf(client: pg.Client): Promise<Array<{ name: string; columns: string }>> {
  const { rows } = await client.query<{ name: string; columns: string }>(`
    select c.relname::text as name, string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     where c.relnamespace = 'wm'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
     group by c.oid, c.relname order by c.oid`)
  return rows
}

async function copy(from: pg.Client, to: pg.Client, table: { name: string; columns: string }, where: string): Promise<void> {
  const { rows } = await from.query<{ row: string }>(`select (t.*)::text as row from wm.${table.name} t where ${where}`)
  await to.query(
    `insert into wm.${table.name} (${table.columns}) select ${table.columns} from unnest($1::text[]) v cross join lateral (select (v::wm.${table.name}).*) r`,
    [rows.map(({ row }) => row)],
  )
}

/** As a superuser: no trigger fires, no key is checked, as in a restore. */
async function asRestore(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await client.query('begin')
  await client.query('set local session_replication_role = replica')
  await work()
  await client.query('commit')
}

/** Everything, into a database that was only migrated; sequences go on where they stood. */
export async function dumpAndRestore(from: pg.Client, to: pg.Client): Promise<void> {
  await asRestore(to, async () => {
    for (const table of await tablesOf(from)) {
      await to.query(`delete from wm.${table.name}`)
      await copy(from, to, table, 'true')
    }
    const { rows } = await from.query<{ last: string }>(`select last_value::text as last from wm.intake_id_seq`)
    await to.query(`select setval('wm.intake_id_seq', $1)`, [rows[0]!.last])
  })
}

/** One tenant's rows, out of one database and into another. Its intake must be empty: other ids were given there meanwhile. */
export async function moveTenant(from: pg.Client, to: pg.Client, tenantId: string): Promise<void> {
  const tables = await tablesOf(from)
  const where = (name: string) => (name === 'tenants' ? `t.id = '${tenantId}'` : `t.tenant_id = '${tenantId}'`)
  const own = tables.filter(({ name, columns }) => name === 'tenants' || columns.includes('tenant_id'))
  await asRestore(to, async () => {
    for (const table of own) await copy(from, to, table, where(table.name))
  })
  await asRestore(from, async () => {
    for (const { name } of own) await from.query(`delete from wm.${name} t where ${where(name)}`)
  })
}
