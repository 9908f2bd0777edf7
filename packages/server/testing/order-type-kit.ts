/**
 * Tests an order type without a server: the same planning, checks, assembly and readiness as in the server, records in memory.
 * What passes here passes there, except what a real transaction would refuse; give `tx` for types that write to tables of their own.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { Diff, Evidence } from '@work-manager/contract'
import type { OrderType } from '../src/work/order-types/define-order-type.ts'
import { orderContextHeader } from '../src/work/applying/order-context.ts'
import { makeDiff } from '../src/work/applying/diff.ts'
import type {
  ApplyContext,
  AssembledPart,
  Finding,
  ItemForDecision,
  OrderForDecision,
  Records,
} from '../src/work/order-types/order-type.ts'
import { checkPayload, planItems, type CheckedItem } from '../src/work/order-types/plan-items.ts'
import { assembleParts, checkPart, checkReadiness, checkSubmission, requiredParts } from '../src/work/order-types/verify-submission.ts'
import type { Queryable } from '../src/kernel/store/tx.ts'

export interface KitOptions {
  readonly meta?: Readonly<Record<string, unknown>>
  /** For types that use `ctx.tx`. */
  readonly tx?: Queryable
  /** What the tenant's records hold before, by collection and key. */
  readonly records?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface HandIn {
  readonly evidence?: readonly Evidence[]
  readonly notes?: string
}

interface KitItem {
  readonly id: string
  readonly ordinal: number
  readonly planned: CheckedItem
  readonly parts: Map<string, AssembledPart & { readonly evidence: readonly Evidence[] }>
  submission?: { readonly result: unknown; readonly evidence: readonly Evidence[] }
}

/** Refused because a step before it has not been done or did not pass; the message lists the findings. */
export class KitError extends Error {
  constructor(problem: string, findings: readonly Finding[] = []) {
    super([problem, ...findings.map((f) => `  - ${f.field}: ${f.message} (${f.code})`)].join('\n'))
    this.name = 'KitError'
  }
}

/** JSON in and out, as the database would: functions, undefined members and Dates do not survive it, so they must not be relied on. */
const stored = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

const noTransaction: Queryable = {
  query() {
    throw new KitError('This type uses ctx.tx; give the kit a transaction: testOrderType(type, { tx }), or keep the data in ctx.records')
  },
}

class MemoryRecords implements Records {
  collections: Map<string, Map<string, unknown>>
  constructor(seed: KitOptions['records'] = {}) {
    this.collections = new Map(Object.entries(stored(seed)).map(([name, rows]) => [name, new Map(Object.entries(rows))]))
  }
  async get(collection: string, key: string): Promise<unknown> {
    const value = this.collections.get(collection)?.get(key)
    return value === undefined ? undefined : stored(value)
  }
  async list(collection: string): Promise<ReadonlyArray<{ key: string; value: unknown }>> {
    const rows = [...(this.collections.get(collection) ?? [])].map(([key, value]) => ({ key, value: stored(value) }))
    return rows.sort((a, b) => (a.key < b.key ? -1 : 1))
  }
  async put(collection: string, key: string, value: unknown): Promise<void> {
    if (!this.collections.has(collection)) this.collections.set(collection, new Map())
    this.collections.get(collection)?.set(key, stored(value))
  }
  async delete(collection: string, key: string): Promise<boolean> {
    return this.collections.get(collection)?.delete(key) ?? false
  }
  snapshot(): Map<string, Map<string, unknown>> {
    return new Map([...this.collections].map(([name, rows]) => [name, new Map(rows)]))
  }
}

export interface OrderTypeKit {
  /** The tenant's records, in memory. */
  readonly records: Records
  /** Receipts of the effects that ran, by effect key. */
  readonly receipts: ReadonlyMap<string, unknown>
  /** Validates the payload and plans. Refuses with: KitError (payload findings), TypeCrashed. */
  plan(payload: unknown): Promise<readonly CheckedItem[]>
  /** Hands a result in for an item (by position); an empty list means that it was accepted. */
  submit(item: number, result: unknown, more?: HandIn): Promise<readonly Finding[]>
  /** Hands a part in; an empty list means that it was kept. */
  submitPart(item: number, partKey: string, payload: unknown, more?: HandIn & { readonly seq?: number }): Promise<readonly Finding[]>
  /** Strict finalize: missing parts, then the checks of the assembled result. */
  finalize(item: number): Promise<readonly Finding[]>
  /** What stands against approval; an empty list approves. */
  approve(): Promise<readonly Finding[]>
  /** beforeApply and apply (all or nothing), then effects, then afterApply, as the applier does. Refuses with: KitError before approve. */
  apply(): Promise<Diff>
}

/** A kit for one order of the type. */
export function testOrderType(type: OrderType<any, any, any, any>, options: KitOptions = {}): OrderTypeKit {
  const records = new MemoryRecords(options.records)
  const receipts = new Map<string, unknown>()
  let order: OrderForDecision<unknown> | undefined
  let items: KitItem[] = []
  let approved = false

  const current = (): OrderForDecision<unknown> => {
    if (!order) throw new KitError('There is no order yet: call plan(payload) first')
    return order
  }
  const itemAt = (position: number): KitItem => {
    current()
    const item = items[position]
    if (!item) throw new KitError(`There is no item ${position}; the plan has ${items.length} (numbered from 0)`)
    return item
  }
  const decidable = (): ItemForDecision<unknown, unknown>[] => {
    const open = items.filter((item) => !item.submission)
    if (open.length > 0) throw new KitError(`Not every item is submitted: ${open.map((item) => item.ordinal).join(', ')}`)
    return items.map((item) => ({
      id: item.id,
      ordinal: item.ordinal,
      state: 'submitted',
      input: item.planned.input,
      ...(item.submission as { result: unknown; evidence: readonly Evidence[] }),
    }))
  }
  const accept = async (
    item: KitItem,
    result: unknown,
    evidence: readonly Evidence[],
    notes: string | null,
  ): Promise<readonly Finding[]> => {
    const findings = await checkSubmission(type, { input: item.planned.input, result, evidence, notes })
    if (findings.length === 0) item.submission = { result, evidence }
    return findings
  }

  return {
    records,
    receipts,
    async plan(payload) {
      const kept = stored(payload)
      const findings = await checkPayload(type, kept)
      if (findings.length > 0) throw new KitError(`The payload does not match the schema of ${type.type}`, findings)
      const planned = stored(await planItems(type, { payload: kept, meta: options.meta ?? null }))
      order = { id: randomUUID(), tenantId: 'test', type: type.type, priority: 0, payload: kept, meta: options.meta ?? null, revision: 1 }
      items = planned.map((one, ordinal) => ({ id: randomUUID(), ordinal, planned: one, parts: new Map() }))
      approved = false
      return planned
    },
    submit: (position, result, more = {}) => accept(itemAt(position), stored(result), stored(more.evidence ?? []), more.notes ?? null),
    async submitPart(position, partKey, payload, more = {}) {
      const item = itemAt(position)
      const part = { partKey, seq: more.seq ?? null, payload: stored(payload), evidence: stored(more.evidence ?? []) }
      const findings = await checkPart(type, { input: item.planned.input, ...part })
      if (findings.length === 0) item.parts.set(JSON.stringify([partKey, part.seq]), part)
      return findings
    },
    async finalize(position) {
      const item = itemAt(position)
      const have = [...item.parts.values()]
      const missing = requiredParts(type, item.planned.input).filter((key) => !have.some((part) => part.partKey === key))
      if (missing.length > 0) return missing.map((key) => ({ field: key, code: 'part.missing', message: `Part '${key}' is missing` }))
      const evidence = have.flatMap((part) => part.evidence)
      return accept(item, stored(assembleParts(type, have, item.planned.input)), evidence, null)
    },
    async approve() {
      const findings = checkReadiness(type, current(), decidable())
      approved = findings.length === 0
      return findings
    },
    async apply() {
      if (!approved) throw new KitError('The order is not approved: call approve() first, and see that it returns no findings')
      const applied = current()
      const key = createHash('sha256').update(`${applied.id}:${applied.revision}`).digest('hex')
      const declared: { name: string; input: unknown }[] = []
      const context: ApplyContext<unknown, unknown, unknown> = {
        order: applied,
        items: decidable(),
        tx: options.tx ?? noTransaction,
        records,
        key,
        effect(name, input) {
          if (!Object.hasOwn(type.effects, name)) throw new KitError(`Effect '${name}' is not declared in the type's effects`)
          declared.push({ name, input: stored(input) })
        },
        diff: makeDiff,
      }
      const before = records.snapshot()
      let diff: Diff
      try {
        await type.beforeApply?.(context)
        diff = await type.apply(context)
      } catch (error) {
        records.collections = before
        throw error
      }
      const { signal } = new AbortController()
      for (const [i, { name, input }] of declared.entries()) {
        const effectKey = `${key}:${name}:${i}`
        receipts.set(
          effectKey,
          await type.effects[name]?.run(input, {
            key: effectKey,
            orderId: applied.id,
            signal,
            traceparent: null,
            contextHeaders: () => ({ [orderContextHeader]: 'from-the-test-kit' }),
          }),
        )
      }
      await type.afterApply?.({ order: applied, diff, key, signal, traceparent: null })
      return diff
    },
  }
}
