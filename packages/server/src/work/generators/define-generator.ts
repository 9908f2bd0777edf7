/** `defineGenerator`: a source of work on a schedule, checked when it is defined. */
import { Cron } from 'croner'
import { DefinitionError } from '../order-types/define-order-type.ts'
import type { GeneratorDefinition } from '../order-types/order-type.ts'

const mark = Symbol.for('work-manager.generator')

export interface Generator extends GeneratorDefinition {
  readonly [mark]: true
  /** The first moment after `from` at which it is due, in UTC; null when the schedule has none left. */
  nextRun(from: Date): Date | null
}

/**
 * Makes a generator from its definition.
 * Refuses with: DefinitionError (name, cron expression, tenants).
 */
export function defineGenerator(definition: GeneratorDefinition): Generator {
  const problems: string[] = []
  const name = typeof definition?.name === 'string' ? definition.name : ''
  if (!/^[a-z0-9]+([._-][a-z0-9]+)*$/.test(name) || name.length > 120)
    problems.push('name must be dotted lower case such as nightly.audit, at most 120 characters')
  if (typeof definition?.generate !== 'function') problems.push('generate(context) is missing: it returns the orders to propose')
  if (definition?.tenants !== undefined && !(Array.isArray(definition.tenants) && definition.tenants.every((t) => typeof t === 'string')))
    problems.push('tenants must be a list of tenant slugs')
  let cron: Cron | undefined
  try {
    cron = new Cron(definition?.schedule, { timezone: 'UTC', paused: true })
    if (cron.nextRun() === null) problems.push(`schedule '${definition.schedule}' never comes`)
  } catch (cause) {
    problems.push(
      `schedule '${definition?.schedule}' is not a cron expression (${cause instanceof Error ? cause.message : String(cause)}); write five fields such as '0 3 * * *', in UTC`,
    )
  }
  if (problems.length > 0 || cron === undefined) throw new DefinitionError(`Generator '${name}'`, problems)
  const schedule = cron
  return Object.freeze({
    ...definition,
    generate: definition.generate.bind(definition),
    [mark]: true as const,
    nextRun: (from: Date) => schedule.nextRun(from),
  })
}

/** True for what `defineGenerator` returned. */
export function isGenerator(value: unknown): value is Generator {
  return typeof value === 'object' && value !== null && (value as { [mark]?: unknown })[mark] === true
}
