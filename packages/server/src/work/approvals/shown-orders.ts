/**
 * What a person was shown of an order, so that a decision on something else can be told what changed: kept when somebody who may approve
 * reads an order that can be decided on, at whatever door.
 */
import { holdsAbility, WorkError } from '@work-manager/contract'
import type { WorkContext } from '../tools.ts'
import { type DecisionContent, membersOfContent } from './decision-content.ts'
import { type ShownMembers, whatChanged } from './shown-members.ts'
import { findShown, keepShown, type ShownOrder } from './shown-orders.store.ts'

/** Agents and services decide nothing. A server that may not write just now shows the order all the same. */
export async function noteShown(context: WorkContext, orderId: string, shown: { digest: string; members: ShownMembers }): Promise<void> {
  const { principal, tools } = context
  if (principal.kind !== 'person' || !holdsAbility(principal.abilities, 'work:approve')) return
  try {
    const before = await lastShown(context, orderId)
    if (before?.digest === shown.digest) return
    await tools.db.transaction(principal.tenantId, (tx) => keepShown(tx, orderId, principal.name, shown))
  } catch (error) {
    if (!(error instanceof WorkError)) throw error
    tools.log.warn({ order_id: orderId, code: error.code }, 'what a person was shown of an order could not be kept')
  }
}

export const lastShown = ({ principal: { tenantId, name }, tools }: WorkContext, orderId: string): Promise<ShownOrder | undefined> =>
  findShown(tools.db, tenantId, orderId, name)

const words = { added: 'was added', changed: 'changed', removed: 'was removed' } as const
const mostSaid = 5

/** What a refusal says: the digest of what is there now, when something else was shown, and what changed since. */
export function sinceShown(shown: ShownOrder | undefined, content: DecisionContent): { detail: string; extra: Record<string, unknown> } {
  const { digest } = content
  if (!shown) return { detail: 'The order has not been shown to you as it can be decided on.', extra: { digest, shown: null } }
  if (shown.digest === digest)
    return {
      detail: `The order is as it was shown to you at ${shown.shown_at}.`,
      extra: { digest, shown: { digest: shown.digest, shown_at: shown.shown_at }, changes: [], changes_omitted: 0 },
    }
  const { changes, omitted } = whatChanged(shown.members, membersOfContent(content))
  const said = changes.slice(0, mostSaid).map(({ pointer, change }) => `${pointer} ${words[change]}`)
  const more =
    omitted === null
      ? ' There are too many items to say which of them.'
      : changes.length + omitted > mostSaid
        ? ` And ${changes.length + omitted - mostSaid} more.`
        : ''
  return {
    detail: `The order is something else than what was shown to you at ${shown.shown_at}${said.length > 0 ? `: ${said.join(', ')}` : ''}.${more}`,
    extra: { digest, shown: { digest: shown.digest, shown_at: shown.shown_at }, changes, changes_omitted: omitted },
  }
}
