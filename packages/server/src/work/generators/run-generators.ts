import { nearestName, WorkError } from '@work-manager/contract'
import Type from 'typebox'
import type { Generator } from './define-generator.ts'
import { defineOperation, type WorkContext } from '../tools.ts'
import { runGenerator, runWhenDue } from './run-generator.ts'

const notDue = { found: 0, proposed: 0, error: null, orders: [] }

/** The generators of this tenant, or the one that was named. Refuses with: not_found. */
function wanted(context: WorkContext, name: string | undefined): readonly Generator[] {
  const mine = context.tools.types.generators.filter((one) => !one.tenants || one.tenants.includes(context.principal.tenantSlug))
  if (name === undefined) return mine
  const found = mine.filter((one) => one.name === name)
  if (found.length > 0) return found
  const near = nearestName(
    name,
    mine.map((one) => one.name),
  )
  throw new WorkError('not_found', {
    detail: `There is no generator '${name.slice(0, 120)}'${near ? `; did you mean '${near}'?` : mine.length > 0 ? `; there are: ${mine.map((one) => one.name).join(', ')}.` : ' and no other one.'}`,
  })
}

export const runGenerators = defineOperation({
  name: 'run_generators',
  summary: 'Run the generators of the tenant that are due, or one by name whether it is due or not.',
  http: { method: 'POST', path: '/generators/run', success: 200 },
  ability: 'admin:maintenance',
  peopleOnly: true,
  waits: true,
  idempotency: 'none',
  // not_found: a generator that is not there.
  refuses: ['not_found'],
  command: { words: 'generate', byHand: true },
  tool: 'administration is not an agent’s work',
  input: Type.Object({
    generator: Type.Optional(Type.String({ minLength: 1, maxLength: 120, description: 'Only this one, due or not.' })),
    dry_run: Type.Optional(Type.Boolean({ description: 'Only say what each would propose, due or not.' })),
  }),
  output: Type.Object({
    proposed: Type.Integer({ minimum: 0 }),
    generators: Type.Array(
      Type.Object(
        {
          generator: Type.String(),
          ran: Type.Boolean({ description: 'False: it is not due.' }),
          found: Type.Integer(),
          proposed: Type.Integer(),
          error: Type.Union([Type.Null(), Type.String()]),
          next_run: Type.Union([Type.Null(), Type.String({ format: 'date-time' })]),
          orders: Type.Optional(Type.Array(Type.Unknown(), { description: 'What was found; with dry_run only.' })),
        },
        { title: 'GeneratorRun' },
      ),
    ),
    dry_run: Type.Boolean(),
  }),
  async handler(context, input) {
    const { tools, principal } = context
    const dryRun = input.dry_run === true
    const tenant = { id: principal.tenantId, slug: principal.tenantSlug }
    const runs = []
    for (const generator of wanted(context, input.generator)) {
      const outcome = dryRun
        ? await runGenerator(tools, generator, tenant, { dryRun })
        : await runWhenDue(tools, generator, tenant, { evenIfNotDue: input.generator !== undefined })
      const { found, proposed, error, orders } = outcome ?? notDue
      runs.push({
        generator: generator.name,
        ran: outcome !== null,
        found,
        proposed,
        error,
        next_run: generator.nextRun(new Date())?.toISOString() ?? null,
        ...(dryRun ? { orders } : {}),
      })
    }
    return { status: 200, body: { proposed: runs.reduce((sum, run) => sum + run.proposed, 0), generators: runs, dry_run: dryRun } }
  },
})
