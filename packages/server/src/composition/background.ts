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
