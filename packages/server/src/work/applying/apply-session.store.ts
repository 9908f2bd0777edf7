/** The limits of the transaction in which a type's apply runs. */
import sql from 'sql-template-tag'
import type { Tx } from '../../kernel/store/tx.ts'

/** Neither one statement nor silence between two may last longer than `ms`; ends with the transaction. */
export async function limitApplySession(tx: Tx, ms: number): Promise<void> {
  await tx.query(
    sql`select set_config('idle_in_transaction_session_timeout', ${String(ms)}, true), set_config('statement_timeout', ${String(ms)}, true)`,
    'limit_apply_session',
  )
}
