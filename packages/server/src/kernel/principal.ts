/** Who is calling: read from the credential, never from what the caller says about itself. */
import type { Tier } from '@work-manager/contract'

export type PrincipalKind = 'agent' | 'person' | 'service' | 'system'

export interface Principal {
  readonly tenantId: string
  readonly tenantSlug: string
  readonly kind: PrincipalKind
  /** The agent id, person or service name that the key is bound to. */
  readonly id: string
  /** `kind:id`, the form that is stored. */
  readonly name: string
  readonly keyId: string | null
  readonly abilities: readonly string[]
  /** What the tenant is entitled to. */
  readonly tier: Tier
}

/** Where a call came from: what the credential proves and what the caller claims, kept apart. */
export interface Provenance {
  /** Id of this combination; derived from its content, so equal calls share one row. */
  readonly id: string
  /** The agent id that leases are held under: the key's own for agent keys; as claimed for service and person keys. */
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
