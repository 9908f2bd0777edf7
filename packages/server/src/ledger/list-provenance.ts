import Type from 'typebox'
import { limit } from '../kernel/operations/inputs.ts'
import { renderProvenance } from '../kernel/store/provenance.ts'
import { text } from './inputs.ts'
import { defineOperation } from './tools.ts'

export const listProvenance = defineOperation({
  name: 'list_provenance',
  summary: 'List where calls came from: agents, models, runtimes, addresses.',
  http: { method: 'GET', path: '/provenance', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: [],
  command: { words: 'provenance' },
  tool: 'for auditors',
  input: Type.Object({
    id: Type.Optional(Type.String({ format: 'uuid' })),
    agent_id: text('Agent id.'),
    model_name: text('Model.'),
    ip: text('Address.'),
    limit,
  }),
  output: Type.Object({ provenance: Type.Array(Type.Unknown()) }),
  handler: (context, input) =>
    context.read(async (q) => {
      const rows = await renderProvenance(
        q,
        { id: input.id, agentId: input.agent_id, modelName: input.model_name, ip: input.ip },
        input.limit ?? 50,
      )
      return { status: 200, json: `{"provenance":[${rows.join(',')}]}` }
    }),
})
