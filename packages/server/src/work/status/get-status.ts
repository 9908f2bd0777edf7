import { itemStates, orderStates, tiers } from '@work-manager/contract'
import Type from 'typebox'
import { countWork, readLiveness } from './store.ts'
import { readCounted } from '../../kernel/operations/counted.ts'
import { defineOperation } from '../tools.ts'

const count = Type.Integer({ minimum: 0 })
const byState = (states: readonly string[]) => Type.Object({ total: count, ...Object.fromEntries(states.map((state) => [state, count])) })
const counted = (states: readonly string[], found: Readonly<Record<string, number>>) => ({
  total: Object.values(found).reduce((sum, n) => sum + n, 0),
  ...Object.fromEntries(states.map((state) => [state, found[state] ?? 0])),
})

export const getStatus = defineOperation({
  name: 'get_status',
  summary: 'Count orders and items by state and leases that live or have run out, and say how the database is.',
  http: { method: 'GET', path: '/status', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: [],
  command: { words: 'ops check', byHand: true },
  tool: 'for operators; agents ask work_why about one order',
  input: Type.Object({}),
  output: Type.Object({
    timestamp: Type.String({ format: 'date-time', description: 'By the clock of the database.' }),
    database: Type.Object({ status: Type.Literal('ok'), version: Type.String() }),
    orders: byState(orderStates),
    items: byState(itemStates),
    leases: Type.Object({
      active: count,
      expired: Type.Integer({
        minimum: 0,
        description: 'Run out and not yet reclaimed; more than a few for more than seconds: nothing reclaims.',
      }),
    }),
    rate_limit: Type.Object({
      tier: Type.Enum([...tiers], { description: 'What the tenant is entitled to.' }),
      per_minute: Type.Union([Type.Null(), Type.Integer()], { description: 'Requests of one principal; null where nothing is limited.' }),
    }),
    ledger: Type.Object({ unnumbered: Type.Integer({ minimum: 0, description: 'Events that the sequencer has not numbered yet.' }) }),
  }),
  async handler(context) {
    const now = await context.read(readLiveness)
    const counts = await readCounted(context, 'status', '', countWork)
    return {
      status: 200,
      body: {
        timestamp: now.at,
        database: { status: 'ok', version: now.server_version },
        orders: counted(orderStates, counts.orders),
        items: counted(itemStates, counts.items),
        leases: { active: now.leases_active, expired: now.leases_expired },
        rate_limit: { tier: context.principal.tier, per_minute: context.tools.rateLimits.perMinute(context.principal.tier) },
        ledger: { unnumbered: now.facts_unnumbered },
      },
    }
  },
})
