import { OrderShape } from '@work-manager/contract'
import Type from 'typebox'
import { defineOperation } from '../tools.ts'
import { preparedProposal, proposalInput } from './propose-order.ts'
import { simulated, simulationOutput } from './simulating.ts'

export const simulateOrder = defineOperation({
  name: 'simulate_order',
  summary: 'Say what proposing an order would do: its checks, its plan, the limits. Nothing is written.',
  http: { method: 'POST', path: '/simulate', success: 200 },
  ability: 'work:propose',
  rate: 'by_type',
  idempotency: 'none',
  writesNothing: () => true,
  refuses: ['order_type_not_found', 'payload_invalid', 'empty_plan', 'plan_failed', 'paused', 'too_many_open_orders'],
  command: { words: 'orders simulate', short: 'simulate', arguments: ['type'], example: `example.echo --payload '{"messages":["hello"]}'` },
  tool: 'trying out a type is the work of whoever writes it',
  input: Type.Object(proposalInput),
  output: Type.Object({ order: OrderShape, items_count: Type.Integer(), ...simulationOutput }),
  handler: async (context, input) => simulated(context, await preparedProposal(context, input)),
})
