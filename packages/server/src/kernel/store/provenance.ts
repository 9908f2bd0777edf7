/** Where calls came from. Content-addressed rows, so a caller that does not change leaves one. */
import sql from 'sql-template-tag'
import type { Queryable, Tx } from './tx.ts'

export interface ProvenanceRow {
  readonly id: string
  readonly principal: string
  readonly keyId: string | null
  readonly agentId: string
  readonly claimedAgentId: string | null
  readonly agentName: string | null
  readonly agentVersion: string | null
  readonly agentType: string | null
  readonly modelName: string | null
  readonly runtime: string | null
  readonly ip: string | null
  readonly userAgent: string | null
  readonly fingerprint: string
}

export async function insertProvenance(tx: Tx, p: ProvenanceRow): Promise<void> {
  await tx.query(
    sql`
    insert into wm.provenance (tenant_id, id, principal, key_id, agent_id, claimed_agent_id, agent_name, agent_version, agent_type, model_name, runtime,
      ip, user_agent, fingerprint)
    values (${tx.tenantId}, ${p.id}, ${p.principal}, ${p.keyId}::uuid, ${p.agentId}, ${p.claimedAgentId}, ${p.agentName}, ${p.agentVersion}, ${p.agentType},
      ${p.modelName}, ${p.runtime}, ${p.ip}, ${p.userAgent}, ${p.fingerprint})
    on conflict (tenant_id, id) do nothing`,
    'insert_provenance',
  )
}

/** Provenance JSON by agent, model or address; newest first. */
export async function renderProvenance(
  q: Queryable,
  filter: { agentId?: string | undefined; modelName?: string | undefined; ip?: string | undefined; id?: string | undefined },
  limit: number,
): Promise<string[]> {
  const rows = await q.query<{ json: string }>(
    sql`
    select json_build_object('id', p.id, 'principal', p.principal, 'key_id', p.key_id, 'agent_id', p.agent_id, 'claimed_agent_id', p.claimed_agent_id,
             'agent_name', p.agent_name, 'agent_version', p.agent_version, 'agent_type', p.agent_type, 'model_name', p.model_name, 'runtime', p.runtime,
             'ip_address', p.ip, 'user_agent', p.user_agent, 'request_fingerprint', p.fingerprint, 'first_seen_at', wm.wire_time(p.first_seen_at))::text as json
      from wm.provenance p
     where p.tenant_id = wm.current_tenant()
       and (${filter.id ?? null}::uuid is null or p.id = ${filter.id ?? null}::uuid)
       and (${filter.agentId ?? null}::text is null or p.agent_id = ${filter.agentId ?? null})
       and (${filter.modelName ?? null}::text is null or p.model_name = ${filter.modelName ?? null})
       and (${filter.ip ?? null}::text is null or p.ip = ${filter.ip ?? null})
     order by p.first_seen_at desc, p.id limit ${limit}`,
    'render_provenance',
  )
  return rows.map((row) => row.json)
}
