/** The two orders of the demo: how they are proposed, and how an earlier start's are found again. */
import { orderMachine, type OrderState, statesTagged } from '@work-manager/contract'
import type { Order, WorkApi } from './client.ts'

export const auditType = 'dependency.license-audit'
/** Bounds the first order, so that a huge project does not make the first minute long. */
export const mostPackages = 300
/** Scripted agents read files in moments; who is silent for five seconds is gone, and nobody has to wait long to see it. */
const leaseSeconds = 5
const packagesPerItem = 15

/** The audit of everything installed. */
export function proposeFullAudit(api: WorkApi): Promise<Order> {
  return propose(api, 'first', { root: '.', packages_per_item: packagesPerItem, limit: mostPackages, lease_seconds: leaseSeconds })
}

/** The audit that is left for a person: what is not plain MIT, strictly, into a file of its own. Null when nothing is installed. */
export async function proposeStrictAudit(api: WorkApi): Promise<Order | null> {
  const inventory = (await api.records('license_inventory')) as { name: string; spdx: string }[]
  const notable = inventory.filter((row) => row.spdx !== 'MIT' && row.spdx !== 'NOASSERTION')
  const names = [...new Set((notable.length > 0 ? notable : inventory.slice(0, 12)).map((row) => row.name))]
  if (names.length === 0) return null
  return propose(api, 'waiting', {
    root: '.',
    packages_per_item: 10,
    lease_seconds: leaseSeconds,
    include: names.slice(0, 200),
    strict: true,
    output: 'THIRD_PARTY_NOTICES.not-mit.md',
  })
}

/** The newest order of that role that an earlier start left in one of the states. */
export async function findEarlier(
  api: WorkApi,
  role: 'first' | 'waiting',
  states: readonly OrderState[] = statesTagged(orderMachine, 'open'),
): Promise<Order | undefined> {
  const [order] = await api.findOrders({ type: auditType, meta: `demo:${role}`, state: states.join(',') })
  return order && api.getOrder(order.id)
}

async function propose(api: WorkApi, role: string, payload: object): Promise<Order> {
  const { order } = await api.propose({ type: auditType, payload, meta: { demo: role } })
  // With its items, whose numbers the narration needs.
  return api.getOrder(order.id)
}
