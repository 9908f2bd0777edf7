/** The background services that this configuration uses, by name. Which there are, the nouns say. */
import type { Config } from '../config/index.ts'
import { type BackgroundService, createService } from '../kernel/service.ts'
import { services, type Tools } from '../systems.ts'

export function createBackgroundServices(tools: Tools, config: Config): Record<string, BackgroundService> {
  const made: Record<string, BackgroundService> = {}
  for (const [name, make] of services) {
    const definition = make(tools, config)
    if (definition === null) continue
    if (definition.name !== name) throw new TypeError(`the service ${definition.name} is listed by its noun as ${name}`)
    made[name] = createService(definition, tools)
  }
  return made
}

/** What stands still, in words that anybody may read; null when nothing does. */
export function standingStill(
  services: Readonly<Record<string, BackgroundService>>,
): { readonly isStuck: boolean; readonly says: string } | null {
  const bad = Object.values(services).flatMap((service) => {
    const { state, forMs } = service.health()
    return state === 'ok' ? [] : [{ state, says: `${service.name} is ${state} for ${Math.round(forMs / 1000)} s` }]
  })
  return bad.length === 0 ? null : { isStuck: bad.some(({ state }) => state === 'stuck'), says: bad.map(({ says }) => says).join(', ') }
}
