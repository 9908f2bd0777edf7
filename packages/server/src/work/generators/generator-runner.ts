/** Runs due generators, once per tenant and due time whichever process gets there first, and proposes what they found. */
import type { WorkTools } from '../tools.ts'
import { runGenerator } from './run-generator.ts'
import { listTenants } from '../../access/store.ts'
import { claimGeneratorRun, noteGeneratorRun } from './store.ts'
import type { ServiceDefinition } from '../../kernel/service.ts'

export function generatorRunner(tools: WorkTools): ServiceDefinition {
  const { system, types } = tools
  return {
    name: 'generator-runner',
    everyMs: 5_000,
    async run() {
      if (types.generators.length === 0) return { done: 0, more: false }
      let done = 0
      const tenants = await listTenants(system)
      for (const generator of types.generators) {
        for (const tenant of tenants) {
          if (generator.tenants && !generator.tenants.includes(tenant.slug)) continue
          const now = new Date()
          const next = generator.nextRun(now)
          // Claimed before it runs: two processes never run the same due time, and a crash skips one run instead of repeating it.
          if (
            !(await claimGeneratorRun(system, { tenantId: tenant.id, generator: generator.name, now, next: next ?? new Date(8.64e15 / 2) }))
          )
            continue
          const outcome = await runGenerator(tools, generator, tenant)
          await noteGeneratorRun(system, {
            tenantId: tenant.id,
            generator: generator.name,
            proposed: outcome.proposed,
            error: outcome.error,
          })
          done++
        }
      }
      return { done, more: false }
    },
  }
}
