/** Running one generator for one tenant, and proposing what it found: the same on schedule and when a person asks. */
import { createHash } from 'node:crypto'
import type { Generator } from './define-generator.ts'
import type { ProposedOrder } from '../order-types/order-type.ts'
import { within } from '../../kernel/time-limit.ts'
import { topics } from '../topics.ts'
import { appendEvents, systemActor } from '../../kernel/store/events.ts'
import { findAnswer, keepAnswer, reserveKey } from '../../kernel/store/idempotency.ts'
import { newOrderId, writeProposal } from '../orders/proposing.ts'
import { attributesOf } from '../../tracing/attributes.ts'
import { traceIdOf } from '../../tracing/traceparent.ts'
import type { WorkTools } from '../tools.ts'
import { claimGeneratorRun, noteGeneratorRun } from './store.ts'
import { assertPayload, getType, planOrder } from '../orders/planning.ts'

const actor = systemActor('scheduler')
const timeoutMs = 60_000
/** Keys of generated work are kept this long: the same key is proposed once. */
const keyTtlSeconds = 10 * 365 * 86_400

export interface GeneratorOutcome {
  readonly generator: string
  readonly tenant: string
  readonly found: number
  readonly proposed: number
  readonly error: string | null
  readonly orders: readonly ProposedOrder[]
}

/** Proposes one found order; false when its key was proposed before. */
async function propose(tools: WorkTools, tenantId: string, generator: string, found: ProposedOrder): Promise<boolean> {
  const type = getType(tools, found.type)
  await assertPayload(type, found.payload)
  const items = await planOrder(tools, type, { payload: found.payload, meta: found.meta ?? null })
  return tools.db.transaction(tenantId, async (tx) => {
    if (found.key !== undefined) {
      const keyHash = createHash('sha256').update(`${generator}\n${found.key}`).digest()
      const scope = { principal: actor.principal, operation: 'generate', keyHash }
      if (!(await reserveKey(tx, scope)) || (await findAnswer(tx, scope))) return false
      await keepAnswer(tx, scope, { fingerprint: keyHash, status: 201, body: '{}', ttlSeconds: keyTtlSeconds })
    }
    // What a generator finds begins a trace of its own, as what a person proposes does.
    const span = tools.tracing.start('propose_order', { attributes: attributesOf({ orderType: type.type }) })
    const id = newOrderId()
    await writeProposal(
      tx,
      tools,
      { ...systemActor('scheduler', traceIdOf(span.traceparent)), actorId: 'scheduler' },
      {
        id,
        type,
        payload: found.payload,
        meta: found.meta ?? null,
        priority: found.priority ?? 0,
        items,
        traceparent: span.traceparent,
        message: `Found by generator ${generator}`,
      },
    )
    span.set(attributesOf({ orderId: id }))
    span.end()
    return true
  })
}

/** What the generator finds for the tenant now. Refuses with: TookTooLong, and whatever the generator throws; ends when `abort` does. */
export async function findOrders(
  generator: Generator,
  tenantSlug: string,
  abort?: AbortSignal,
  limitMs = timeoutMs,
): Promise<readonly ProposedOrder[]> {
  const found: unknown = await within(
    `the generator '${generator.name}'`,
    limitMs,
    (signal) => generator.generate({ tenant: tenantSlug, now: new Date(), signal }),
    abort,
  )
  const told = `the generator '${generator.name}' must return a list of { type, payload, key, priority, meta }`
  if (!Array.isArray(found)) throw new TypeError(`${told}; it returned ${found === null ? 'null' : typeof found}`)
  // What cannot be sent or stored is refused here, and not by whoever shows or keeps it.
  return found.map((one: unknown, i): ProposedOrder => {
    let plain: unknown
    try {
      plain = JSON.parse(JSON.stringify(one) ?? 'null')
    } catch (cause) {
      throw new TypeError(`${told}; number ${i} is no JSON: ${(cause as Error).message}`, { cause })
    }
    if (typeof plain !== 'object' || plain === null || typeof (plain as ProposedOrder).type !== 'string')
      throw new TypeError(`${told}; number ${i} has no type`)
    return plain as ProposedOrder
  })
}

/** Runs one generator for one tenant now. A broken find is an outcome and an event; the other finds are still proposed. */
export async function runGenerator(
  tools: WorkTools,
  generator: Generator,
  tenant: { id: string; slug: string },
  options: { dryRun?: boolean } = {},
): Promise<GeneratorOutcome> {
  let found: readonly ProposedOrder[] = []
  let proposed = 0
  let error: string | null = null
  try {
    found = await findOrders(generator, tenant.slug)
    for (const one of options.dryRun ? [] : found) {
      try {
        if (await propose(tools, tenant.id, generator.name, one)) proposed++
      } catch (cause) {
        error ??= cause instanceof Error ? cause.message : String(cause)
        tools.log.warn({ err: cause, generator: generator.name, tenant: tenant.slug }, 'a generated order could not be proposed')
      }
    }
  } catch (cause) {
    error = cause instanceof Error ? cause.message : String(cause)
    tools.log.warn({ err: cause, generator: generator.name, tenant: tenant.slug }, 'generator failed')
  }
  if (error !== null && !options.dryRun)
    await tools.db.transaction(tenant.id, async (tx) =>
      appendEvents(tx, actor, await tx.clock(), [
        { kind: 'generator.failed', label: generator.name, payload: { generator: generator.name, error }, message: error.slice(0, 500) },
      ]),
    )
  if (proposed > 0) tools.signal.wake(topics.ready(tenant.id))
  tools.signal.wake(topics.events)
  return { generator: generator.name, tenant: tenant.slug, found: found.length, proposed, error, orders: found }
}

/** A time that never comes, for a schedule that has ended. */
const never = new Date(8.64e15 / 2)

/**
 * Runs the generator when it is due (`evenIfNotDue`: now) and notes the outcome; null when it is not due. Claimed before it runs: two
 * processes never run the same due time, and a crash skips one run instead of repeating it.
 */
export async function runWhenDue(
  tools: WorkTools,
  generator: Generator,
  tenant: { id: string; slug: string },
  options: { evenIfNotDue?: boolean } = {},
): Promise<GeneratorOutcome | null> {
  const isDue = await tools.db.transaction(tenant.id, async (tx) => {
    // The database's clock, as for every due time: that of a process may be hours off, or differ from its neighbour's.
    const now = new Date(await tx.clock())
    const claim = { tenantId: tenant.id, generator: generator.name, now, next: generator.nextRun(now) ?? never }
    return options.evenIfNotDue === true || (await claimGeneratorRun(tx, claim))
  })
  if (!isDue) return null
  const outcome = await runGenerator(tools, generator, tenant)
  const { proposed, error } = outcome
  await tools.db.transaction(tenant.id, (tx) => noteGeneratorRun(tx, { tenantId: tenant.id, generator: generator.name, proposed, error }))
  return outcome
}
