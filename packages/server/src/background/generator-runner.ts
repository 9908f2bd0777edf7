/** Runs due generators, once per tenant and due time whichever process gets there first, and proposes what they found. */
import type { Services } from '../operations/services.ts'
import { runGenerator } from '../operations/upkeep/run-generator.ts'
import { listTenants } from '../store/api-keys.ts'
import { claimGeneratorRun, noteGeneratorRun } from '../store/generator-runs.ts'
import type { ServiceDefinition } from './service.ts'

export function generatorRunner(services: Services): ServiceDefinition {
  const { system, types } = services
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
          const outcome = await runGenerator(services, generator, tenant)
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
