/** What a pause does after it is set: leases of its scope end, and what is already on its way to the outside is waited for. */
import { countdown } from '../../kernel/countdown.ts'
import { setTimeout as pause } from 'node:timers/promises'
import { type Actor, systemActor } from '../../kernel/store/events.ts'
import type { LeaseFilter } from '../leases/store.ts'
import { countRunningEffects, type PauseTarget, putPauseOfEverything, removePauseOfEverything } from './store.ts'
import type { WorkTools } from '../tools.ts'
import { endAllLeases } from '../leases/end-leases.ts'

/** An outside call that runs longer is not waited for, but counted in the answer. */
const longestWaitMs = 3000
const lookEveryMs = 50

const leasesOf = ({ scope, subject }: PauseTarget): LeaseFilter =>
  scope === 'agent' ? { holder: subject } : scope === 'type' ? { orderType: subject } : {}

/**
 * The pause is committed, so no new lease of its scope comes, and no new outside call starts. Returns how many leases ended and how
 * many outside calls still run; those cannot be called back.
 */
export async function enforcePause(
  tools: Pick<WorkTools, 'db' | 'signal'>,
  tenantId: string,
  target: PauseTarget,
  actor: Actor,
  reason: string,
): Promise<{ leasesEnded: number; effectsRunning: number }> {
  const leasesEnded = await endAllLeases(tools, tenantId, leasesOf(target), actor, reason)
  if (target.scope === 'agent') return { leasesEnded, effectsRunning: 0 }
  const type = target.scope === 'type' ? target.subject : undefined
  const leftMs = countdown(longestWaitMs)
  for (;;) {
    const effectsRunning = await tools.db.read(tenantId, (q) => countRunningEffects(q, type))
    if (effectsRunning === 0 || leftMs() <= 0) return { leasesEnded, effectsRunning }
    await pause(lookEveryMs)
  }
}

/** All tenants at once; for whoever runs the server, on its own database. Said twice it ends what the first time did not get to. */
export async function pauseEverything(
  tools: Pick<WorkTools, 'db' | 'system' | 'signal'>,
  by: { readonly reason: string; readonly principal: string },
): Promise<{ pausedAt: string; leasesEnded: number; effectsRunning: number }> {
  const { pausedAt, tenants } = await tools.system.transaction((q) => putPauseOfEverything(q, by))
  const sum = { pausedAt, leasesEnded: 0, effectsRunning: 0 }
  for (const tenant of tenants) {
    const one = await enforcePause(
      tools,
      tenant,
      { scope: 'tenant', subject: '' },
      { ...systemActor('pause'), principal: by.principal },
      `Paused: ${by.reason}`,
    )
    sum.leasesEnded += one.leasesEnded
    sum.effectsRunning += one.effectsRunning
  }
  return sum
}

/** False when everything was not paused; narrower pauses stay. */
export const resumeEverything = (
  tools: Pick<WorkTools, 'system'>,
  by: { readonly reason: string; readonly principal: string },
): Promise<boolean> => tools.system.transaction((q) => removePauseOfEverything(q, by))
