/** Statements that are kept as text with `$1 …`, as the pool takes them, for where a tagged statement is wanted. */
import { Sql } from 'sql-template-tag'

export const statementOf = (text: string, values: readonly unknown[]): Sql => new Sql([...text.split(/\$\d+/)], values)
