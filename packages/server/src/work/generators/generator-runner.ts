/** Runs due generators, once per tenant and due time whichever process gets there first, and proposes what they found. */
import type { WorkTools } from '../tools.ts'
import { runWhenDue } from './run-generator.ts'
import { listTenants } from '../../access/store.ts'
import type { ServiceDefinition } from '../../kernel/service.ts'

export function generatorRunner(tools: WorkTools): ServiceDefinition {
  const { system, types } = tools
  return {
    name: 'generator-runner',
    everyMs: 5_000,
    async run(round) {
      if (types.generators.length === 0) return { done: 0, more: false }
      let done = 0
      const tenants = await listTenants(system)
      for (const generator of types.generators) {
        for (const tenant of tenants) {
          if (generator.tenants && !generator.tenants.includes(tenant.slug)) continue
          if (round.signal.aborted) return { done, more: false }
          if (await runWhenDue(tools, generator, tenant)) done++
          round.moved()
        }
      }
      return { done, more: false }
    },
  }
}
