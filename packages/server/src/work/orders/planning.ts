/** From a payload to checked items; shared by propose, plan and the generator runner. Runs user code, so never inside a transaction. */
import { WorkError } from '@work-manager/contract'
import { uuidv7 } from 'uuidv7'
import type { OrderType } from '../order-types/define-order-type.ts'
import { checkPayload, planItems } from '../order-types/plan-items.ts'
import { TypeCrashed } from '../order-types/type-crashed.ts'
import type { NewItem } from '../items/store.ts'
import type { WorkTools } from '../tools.ts'

/** Refuses with: order_type_not_found, naming the nearest registered type. */
export function getType(tools: WorkTools, name: string): OrderType {
  const type = tools.types.get(name)
  if (type) return type
  const near = tools.types.nearest(name)
  throw new WorkError('order_type_not_found', {
    detail: `Order type '${name.slice(0, 120)}' is not registered${near ? `; did you mean '${near}'?` : ''}`,
  })
}

/** Refuses with: payload_invalid; plan_failed when the schema itself breaks. */
export async function assertPayload(type: OrderType, payload: unknown): Promise<void> {
  const errors = await checkPayload(type, payload).catch(planFailed)
  if (errors.length > 0)
    throw new WorkError('payload_invalid', {
      detail: `The payload does not match the schema of '${type.type}': ${errors[0]!.message}`,
      errors,
    })
}

function planFailed(error: unknown): never {
  if (!(error instanceof TypeCrashed)) throw error
  throw new WorkError('plan_failed', { detail: error.message }, { cause: error })
}

/** Refuses with: empty_plan, plan_failed. */
export async function planOrder(
  tools: WorkTools,
  type: OrderType,
  order: { payload: unknown; meta: Record<string, unknown> | null },
): Promise<NewItem[]> {
  const planned = await planItems(type, order, (name) => tools.types.get(name)).catch(planFailed)
  if (planned.length === 0) throw new WorkError('empty_plan')
  const { settings } = tools
  return planned.map((item, ordinal) => {
    const itemType = tools.types.get(item.type) ?? type
    return {
      id: uuidv7(),
      ordinal,
      type: item.type,
      input: item.input,
      maxAttempts: item.maxAttempts ?? settings.defaultMaxAttempts,
      leaseTtlSeconds: item.leaseTtlSeconds ?? settings.leaseTtlSeconds,
      maxLeaseSeconds: itemType.maxLeaseSeconds ?? settings.maxLeaseSeconds,
      requireToken: itemType.requireLeaseToken ?? settings.requireLeaseToken,
      recordHeartbeats: itemType.recordHeartbeats,
      partsRequired: item.partsRequired,
    }
  })
}
