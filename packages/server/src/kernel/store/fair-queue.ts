/**
 * Turns in front of a pool: while there is room everybody goes straight in; when there is none, the next turn goes to the waiting tenant
 * that holds the fewest, and among equals to the one that has gone without the longest. One tenant's flood waits behind itself.
 */
import { WorkError } from '@work-manager/contract'

export interface FairQueue {
  /** Resolves when it is the tenant's turn, with the function that gives the turn back. Refuses with: busy, when the wait was too long. */
  enter(tenantId: string): Promise<() => void>
  waiting(): number
}

interface Tenant {
  held: number
  readonly waiting: Array<{ go(): void }>
}

export function createFairQueue(turns: number, longestWaitMs: number): FairQueue {
  let free = turns
  let waiters = 0
  /** Only tenants that hold or wait. In the order in which they last got or gave back a turn. */
  const tenants = new Map<string, Tenant>()

  function grant(id: string, tenant: Tenant): void {
    free--
    tenant.held++
    tenants.delete(id)
    tenants.set(id, tenant)
  }

  function release(id: string, tenant: Tenant): void {
    free++
    tenant.held--
    tenants.delete(id)
    if (tenant.held > 0 || tenant.waiting.length > 0) tenants.set(id, tenant)
    if (waiters > 0) next()
  }

  function next(): void {
    let chosen: { id: string; tenant: Tenant } | undefined
    for (const [id, tenant] of tenants)
      if (tenant.waiting.length > 0 && (chosen === undefined || tenant.held < chosen.tenant.held)) chosen = { id, tenant }
    if (chosen === undefined) return
    grant(chosen.id, chosen.tenant)
    chosen.tenant.waiting.shift()!.go()
  }

  return {
    waiting: () => waiters,
    async enter(id) {
      let tenant = tenants.get(id)
      if (!tenant) tenants.set(id, (tenant = { held: 0, waiting: [] }))
      const mine = tenant
      if (free > 0 && waiters === 0) grant(id, mine)
      else
        await new Promise<void>((resolve, reject) => {
          const turn = {
            go() {
              clearTimeout(timer)
              waiters--
              resolve()
            },
          }
          const timer = setTimeout(() => {
            waiters--
            mine.waiting.splice(mine.waiting.indexOf(turn), 1)
            if (mine.held === 0 && mine.waiting.length === 0) tenants.delete(id)
            reject(
              new WorkError('busy', {
                detail: `Every database connection of this server was in use for ${longestWaitMs} ms; nothing was saved.`,
                retryAfterSeconds: 1,
              }),
            )
          }, longestWaitMs)
          waiters++
          mine.waiting.push(turn)
        })
      let isBack = false
      return () => {
        if (isBack) return
        isBack = true
        release(id, mine)
      }
    },
  }
}
