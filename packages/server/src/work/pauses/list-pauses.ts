import Type from 'typebox'
import { listPauses as list } from './store.ts'
import { defineOperation } from '../tools.ts'
import { pauseShape } from './pause-target.ts'

export const listPauses = defineOperation({
  name: 'list_pauses',
  summary: 'What is paused now, since when, by whom and why.',
  http: { method: 'GET', path: '/pauses', success: 200 },
  ability: 'admin:pause',
  peopleOnly: true,
  idempotency: 'none',
  refuses: [],
  command: { words: 'pauses', byHand: true },
  tool: 'for operators; an agent that is paused is told so',
  input: Type.Object({}),
  output: Type.Object({ pauses: Type.Array(pauseShape) }),
  async handler(context) {
    return { status: 200, body: { pauses: await context.read(list) } }
  },
})
