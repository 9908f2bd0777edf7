/** What a person pauses or resumes: exactly one of an agent, an order type, or the whole tenant. */
import { WorkError } from '@work-manager/contract'
import Type, { type Static } from 'typebox'
import type { PauseTarget } from './store.ts'

export const target = {
  agent: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description: 'An agent id; or a principal such as service:crm, which covers every agent id that it names.',
    }),
  ),
  type: Type.Optional(Type.String({ minLength: 1, maxLength: 120, description: 'An order type.' })),
  all: Type.Optional(Type.Boolean({ description: 'Everything of the tenant.' })),
}
const targetShape = Type.Object(target)

export const pauseShape = Type.Object(
  {
    scope: Type.String({ description: 'agent, type, tenant or everything (all tenants; set on the command line of the server).' }),
    subject: Type.String({ description: 'The agent, principal or type; empty for the wider ones.' }),
    reason: Type.String(),
    principal: Type.String({ description: 'Who set it.' }),
    paused_at: Type.String({ format: 'date-time' }),
  },
  { title: 'Pause' },
)

/** What stands for a pause on the record, such as `agent:crawler-1`. */
export const labelOf = ({ scope, subject }: PauseTarget): string => (subject === '' ? scope : `${scope}:${subject}`)

/** Refuses with: validation_failed unless exactly one is named. */
export function targetOf({ agent, type, all }: Static<typeof targetShape>): PauseTarget {
  const named: PauseTarget[] = [
    ...(agent === undefined ? [] : [{ scope: 'agent' as const, subject: agent }]),
    ...(type === undefined ? [] : [{ scope: 'type' as const, subject: type }]),
    ...(all === true ? [{ scope: 'tenant' as const, subject: '' }] : []),
  ]
  if (named.length === 1) return named[0]!
  const message = `Name exactly one: agent, type, or all: true; ${named.length === 0 ? 'none is' : `${named.length} are`} named.`
  throw new WorkError('validation_failed', { detail: message, errors: [{ field: 'agent', code: 'target_unclear', message }] })
}
