/** Idempotency keys: reserved first, the answer's bytes kept with the effect, scoped to tenant + principal + operation. */
import sql from 'sql-template-tag'
import type { Db, Instant, Queryable, Tx } from './tx.ts'

export interface KeyScope {
  readonly principal: string
  readonly operation: string
  readonly keyHash: Buffer
}
export interface KeptAnswer {
  readonly fingerprint: Buffer
  /** Null while the effect is committed but the answer is still being made. */
  readonly status: number | null
  readonly body: string | null
  readonly expires_at: Instant
}

/** Takes the key for this transaction, or says that somebody else is using it right now. Never waits. */
export async function reserveKey(tx: Tx, scope: KeyScope): Promise<boolean> {
  const [row] = await tx.query<{ ok: boolean }>(
    sql`select pg_try_advisory_xact_lock(hashtextextended(${`${tx.tenantId}|${scope.principal}|${scope.operation}|${scope.keyHash.toString('hex')}`}, 0)) as ok`,
    'reserve_key',
  )
  return row!.ok
}

export async function findAnswer(q: Queryable, scope: KeyScope): Promise<KeptAnswer | undefined> {
  const [row] = await q.query<KeptAnswer>(
    sql`
    select fingerprint, status, body, expires_at from wm.idempotency
     where tenant_id = wm.current_tenant() and principal = ${scope.principal} and operation = ${scope.operation} and key_hash = ${scope.keyHash}`,
    'find_answer',
  )
  return row
}

/** As findAnswer, for several keys of a tenant in one round trip. */
export async function findAnswers(db: Db, tenantId: string, scopes: readonly KeyScope[]): Promise<Array<KeptAnswer | undefined>> {
  const rows = await db.call<KeptAnswer & { n: number }>(
    tenantId,
    sql`select * from wm.kept_answers(${tenantId}::uuid, ${scopes.map(({ principal }) => principal)}::text[],
      ${scopes.map(({ operation }) => operation)}::text[], ${scopes.map(({ keyHash }) => keyHash)}::bytea[])`,
    'kept_answers',
  )
  const found = new Map(rows.map(({ n, ...answer }) => [n, answer]))
  return scopes.map((_, place) => found.get(place + 1))
}

/** Until when it is kept. */
export async function keepAnswer(
  tx: Tx,
  scope: KeyScope,
  answer: { fingerprint: Buffer; status: number | null; body: string | null; ttlSeconds: number },
): Promise<Instant | undefined> {
  const [row] = await tx.query<{ expires_at: Instant }>(
    sql`
    insert into wm.idempotency (tenant_id, principal, operation, key_hash, fingerprint, status, body, created_at, expires_at)
    values (${tx.tenantId}, ${scope.principal}, ${scope.operation}, ${scope.keyHash}, ${answer.fingerprint}, ${answer.status}, ${answer.body},
      clock_timestamp(), clock_timestamp() + make_interval(secs => ${answer.ttlSeconds}))
    on conflict (tenant_id, principal, operation, key_hash) do nothing returning expires_at`,
    'keep_answer',
  )
  return row?.expires_at
}

/** Fills in the bytes of an answer that was made after its effect was committed. The first one to fill it in wins: returns what is kept. */
export async function completeAnswer(
  tx: Tx,
  scope: KeyScope,
  answer: { status: number; body: string; ttlSeconds: number },
): Promise<KeptAnswer | undefined> {
  await tx.query(
    sql`
    update wm.idempotency set status = ${answer.status}, body = ${answer.body}, expires_at = clock_timestamp() + make_interval(secs => ${answer.ttlSeconds})
     where tenant_id = ${tx.tenantId} and principal = ${scope.principal} and operation = ${scope.operation} and key_hash = ${scope.keyHash} and status is null`,
    'complete_answer',
  )
  return findAnswer(tx, scope)
}

/** Deletes a bounded number of expired keys of all tenants; returns how many. */
export async function deleteExpiredAnswers(q: Queryable, limit: number): Promise<number> {
  const rows = await q.query(
    sql`
    delete from wm.idempotency where ctid = any(array(
      select ctid from wm.idempotency where expires_at < clock_timestamp() order by created_at limit ${limit})) returning 1`,
    'delete_expired_answers',
  )
  return rows.length
}

/** Keys of the tenant older than the age. Those of generated work stay: they are what keeps found work from being proposed twice. */
const oldKeys = (tenantId: string, ageSeconds: number) =>
  sql`tenant_id = ${tenantId} and operation <> 'generate' and created_at < clock_timestamp() - make_interval(secs => ${ageSeconds})`

export async function countOldAnswers(q: Queryable, tenantId: string, ageSeconds: number): Promise<number> {
  const [row] = await q.query<{ n: number }>(sql`select count(*)::int as n from wm.idempotency where ${oldKeys(tenantId, ageSeconds)}`)
  return row!.n
}

/** Deletes a bounded number of the tenant's old keys; returns how many. On the system pool: the role of requests may not forget keys. */
export async function deleteOldAnswers(system: Queryable, tenantId: string, ageSeconds: number, limit: number): Promise<number> {
  const rows = await system.query(sql`
    delete from wm.idempotency where tenant_id = ${tenantId} and ctid = any(array(
      select ctid from wm.idempotency where ${oldKeys(tenantId, ageSeconds)} order by created_at limit ${limit})) returning 1`)
  return rows.length
}
