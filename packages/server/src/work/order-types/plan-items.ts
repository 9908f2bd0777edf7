/** Planning: from a payload to the items that agents take, checked before anything is written. */
import type { FieldError } from '@work-manager/contract'
import { breathe } from '../../kernel/breathe.ts'
import type { OrderType } from './define-order-type.ts'
import type { PlannedItem } from './order-type.ts'
import { judged } from './judged.ts'
import { guarded, guardedWithin, TypeCrashed } from './type-crashed.ts'

export const maxPlannedItems = 10_000
/** Somebody waits for the answer to their proposal. */
const planTimeoutMs = 10_000
/** Of all inputs together, as JSON: they are written in one statement. */
export const maxPlannedBytes = 8 * 1024 * 1024
/** Judged between two turns of everybody else. */
const itemsAtOnce = 100
const bytesAtOnce = 512 * 1024

/** An item as it will be stored; `maxAttempts` null follows the type and then the server. */
export interface CheckedItem {
  readonly type: string
  readonly input: unknown
  readonly maxAttempts: number | null
  readonly leaseTtlSeconds: number | null
  readonly partsRequired: readonly string[] | null
}

function requiredOf(type: OrderType, input: unknown): readonly string[] | null {
  const { parts } = type
  return parts ? guarded(type.type, 'parts.required', () => [...parts.required(input)]) : null
}

/** What is wrong with a payload by its schema; an empty list means it may be planned. Refuses with: TypeCrashed. */
export function checkPayload(type: OrderType, payload: unknown): Promise<readonly FieldError[]> {
  return judged(type.type, 'payload', type.validators.payload, payload)
}

/**
 * Runs the type's `plan` and checks every planned item: its type is registered, its input matches that type's input schema.
 * An empty list is returned as it is (the operation refuses it as `empty_plan`).
 * Refuses with: TypeCrashed (member `plan`); its message may be shown as the detail of `plan_failed`.
 */
export async function planItems(
  type: OrderType,
  order: { readonly payload: unknown; readonly meta: Readonly<Record<string, unknown>> | null },
  resolve: (type: string) => OrderType | undefined = (name) => (name === type.type ? type : undefined),
  limitMs = planTimeoutMs,
): Promise<readonly CheckedItem[]> {
  const planned: readonly PlannedItem<unknown>[] = await guardedWithin(type.type, 'plan', limitMs, undefined, async () => type.plan(order))
  if (!Array.isArray(planned)) throw new TypeCrashed(type.type, 'plan', 'must return a list of { input }')
  if (planned.length > maxPlannedItems)
    throw new TypeCrashed(
      type.type,
      'plan',
      `returned ${planned.length} items; at most ${maxPlannedItems} fit one order: put more into each item`,
    )
  const checked: CheckedItem[] = []
  let bytes = 0
  let breathedAt = { item: 0, bytes: 0 }
  for (const [i, item] of planned.entries()) {
    if (typeof item !== 'object' || item === null || item.input === undefined)
      throw new TypeCrashed(type.type, 'plan', `returned an item without input (number ${i})`)
    bytes += guarded(type.type, 'plan', () => JSON.stringify(item.input)).length
    if (bytes > maxPlannedBytes)
      throw new TypeCrashed(
        type.type,
        'plan',
        `returned items of more than ${maxPlannedBytes} bytes together (up to number ${i}): give each item what it needs, not the whole payload`,
      )
    if (i - breathedAt.item >= itemsAtOnce || bytes - breathedAt.bytes >= bytesAtOnce) {
      await breathe()
      breathedAt = { item: i, bytes }
    }
    const itemType = resolve(item.type ?? type.type)
    if (!itemType)
      throw new TypeCrashed(type.type, 'plan', `returned an item of the type '${item.type}', which is not registered (number ${i})`)
    const wrong = itemType.validators.input ? await judged(itemType.type, 'input', itemType.validators.input, item.input) : []
    if (wrong.length > 0)
      throw new TypeCrashed(
        type.type,
        'plan',
        `returned an item (number ${i}) whose input does not match the input schema: ${wrong.map((e) => e.message).join('; ')}`,
      )
    const maxAttempts = item.maxAttempts ?? itemType.retry.maxAttempts
    if (maxAttempts !== null && !(Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= 100))
      throw new TypeCrashed(
        type.type,
        'plan',
        `returned an item (number ${i}) with maxAttempts ${maxAttempts}; it must be a whole number from 1 to 100`,
      )
    const leaseTtlSeconds = item.leaseTtlSeconds ?? itemType.leaseTtlSeconds
    if (leaseTtlSeconds !== null && !(Number.isInteger(leaseTtlSeconds) && leaseTtlSeconds >= 5 && leaseTtlSeconds <= 86_400))
      throw new TypeCrashed(
        type.type,
        'plan',
        `returned an item (number ${i}) with leaseTtlSeconds ${leaseTtlSeconds}; it must be a whole number from 5 to 86400`,
      )
    checked.push({ type: itemType.type, input: item.input, maxAttempts, leaseTtlSeconds, partsRequired: requiredOf(itemType, item.input) })
  }
  return checked
}
