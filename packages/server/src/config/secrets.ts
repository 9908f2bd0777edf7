import type { Config } from './schema.ts'
import { settings } from './settings.ts'

/** Every setting that its declaration calls secret. */
export function secretsOf(config: Config): string[] {
  const values = config as unknown as Readonly<Record<string, Readonly<Record<string, unknown>>>>
  return settings
    .filter(({ schema }) => schema.secret === true)
    .map(({ section, key }) => values[section]?.[key])
    .filter((value) => typeof value === 'string')
}
