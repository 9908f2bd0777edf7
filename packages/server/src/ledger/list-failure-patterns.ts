import Type from 'typebox'
import { limit } from '../kernel/operations/inputs.ts'
import { failureKinds, listFailures } from '../kernel/store/events.ts'
import { groupFailures } from './group-failures.ts'
import { text } from './inputs.ts'
import { defineOperation } from './tools.ts'

/** Of each kind: what a request reads stays bounded, however much has failed. */
const mostPerKind = 2000

const time = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }))

export const listFailurePatterns = defineOperation({
  name: 'list_failure_patterns',
  summary: 'Group what failed by its cause: failed items and applies, refused submissions and parts, expired leases.',
  http: { method: 'GET', path: '/failures/patterns', success: 200 },
  ability: 'work:view',
  idempotency: 'none',
  refuses: [],
  command: { words: 'failures' },
  tool: 'for people who look after the work',
  input: Type.Object({
    since: time('Failures from this moment on (default: a day ago).'),
    until: time('Failures before this moment.'),
    type: text('Order type.'),
    limit,
  }),
  output: Type.Object({
    patterns: Type.Array(
      Type.Object({
        kind: Type.Enum([...failureKinds]),
        type: Type.Union([Type.Null(), Type.String()]),
        class: Type.Union([Type.Null(), Type.String()]),
        code: Type.Union([Type.Null(), Type.String()]),
        message: Type.Union([Type.Null(), Type.String()]),
        count: Type.Integer(),
        first_seen: Type.String(),
        last_seen: Type.String(),
        examples: Type.Array(Type.String()),
      }),
    ),
    failures: Type.Integer({ description: 'How many were grouped.' }),
    complete: Type.Boolean({
      description: `False when more than ${mostPerKind} of one kind fell into the window: the newest were grouped.`,
    }),
  }),
  handler: (context, input) =>
    context.read(async (q) => {
      const rows = await listFailures(q, { since: input.since, until: input.until, type: input.type }, mostPerKind)
      const counted = failureKinds.map((kind) => rows.filter((row) => row.kind === kind).length)
      const patterns = groupFailures(rows).slice(0, input.limit ?? 50)
      const complete = counted.every((count) => count < mostPerKind)
      return { status: 200, json: JSON.stringify({ patterns, failures: rows.length, complete }) }
    }),
})
