/** Reads the configuration once, at start: defaults, file, environment, flags, in this order. Everything wrong is said at once. */
import path from 'node:path'
import { nearestName } from '@work-manager/contract'
import Value from 'typebox/value'
import { ConfigError } from './config-error.ts'
import { readConfigFile } from './config-file.ts'
import { fromText, readEnvironment, type Environment, type Given } from './environment.ts'
import { betweenSettings, valueRules } from './rules.ts'
import type { Config, ConfigInput } from './schema.ts'
import { accepts, sections, settings, type Setting } from './settings.ts'

export interface LoadOptions {
  readonly env: Environment
  readonly cwd: string
  /** Instead of looking for `work-manager.config.*` in `cwd`. */
  readonly file?: string | undefined
  /** Settings in code (the library): they win over the file, the environment wins over them. */
  readonly code?: ConfigInput | undefined
  /** Command-line flags: setting → text and the flag's name. They win over everything. */
  readonly flags?: Readonly<Record<string, { readonly text: string; readonly from: string }>> | undefined
  /** Told what a person should know although the start goes on. */
  readonly notice?: ((sentence: string) => void) | undefined
}

export interface ReadConfig {
  readonly config: Config
  /** The file that was read, if any. */
  readonly file: string | null
  /** Setting → where its value comes from; settings with their default are absent. */
  readonly origins: ReadonlyMap<string, string>
}

const fromCode = (input: ConfigInput = {}): Array<[string, Given]> =>
  Object.entries(input).flatMap(([section, values]) =>
    Object.entries(values ?? {}).map(([key, value]): [string, Given] => [`${section}.${key}`, { value, from: 'createWorkManager' }]),
  )

/**
 * All settings, checked and frozen.
 * Refuses with: ConfigError, which lists every problem.
 */
export async function loadConfig(options: LoadOptions): Promise<Config> {
  return (await readConfig(options)).config
}

/** Like loadConfig, and says where each value comes from. */
export async function readConfig(options: LoadOptions): Promise<ReadConfig> {
  const file = await readConfigFile(options.cwd, options.file)
  const environment = readEnvironment(options.env)
  const given = new Map<string, Given>([...file.given, ...fromCode(options.code), ...environment.given])
  for (const [name, flag] of Object.entries(options.flags ?? {})) {
    const setting = settings.find((each) => each.path === name) as Setting
    given.set(name, { value: fromText(setting.schema, flag.text), from: flag.from })
  }
  const problems = [
    ...file.problems,
    ...environment.problems,
    ...settings.flatMap((setting) => problemsOf(setting, given.get(setting.path))),
  ]
  const config = assemble(given, options.cwd)
  const notices = [...file.notices, ...environment.notices, ...disagreements(file.given, environment.given)]
  if (settings.every((setting) => problemsOf(setting, given.get(setting.path)).length === 0)) {
    const between = betweenSettings(config)
    problems.push(...between.problems)
    notices.push(...between.notices)
  }
  if (problems.length > 0) throw new ConfigError(problems)
  for (const sentence of notices) options.notice?.(sentence)
  return { config: deepFreeze(config), file: file.file, origins: new Map([...given].map(([name, one]) => [name, one.from])) }
}

function problemsOf(setting: Setting, given: Given | undefined): string[] {
  if (given === undefined) return []
  const named = given.from === setting.env[0] ? given.from : `${setting.path} (${given.from})`
  if (!Value.Check(setting.schema, given.value))
    return [
      `${named} ${setting.schema.secret === true ? 'cannot be used as it is' : `is ${shown(given.value)}`}; accepted: ${accepts(setting.schema)}${meant(setting, given.value)}`,
    ]
  return (valueRules[setting.path]?.(given.value as never) ?? []).map((problem) => `${named} ${problem}`)
}

/** A misspelt word of a closed set: the one that was probably meant. */
function meant({ schema }: Setting, value: unknown): string {
  const words = (schema.enum ?? []).filter((word) => typeof word === 'string')
  const nearest = typeof value === 'string' && words.length > 0 ? nearestName(value.toLowerCase(), words) : undefined
  return nearest === undefined ? '' : `; did you mean ${nearest}?`
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? `'${value}'` : (JSON.stringify(value) ?? String(value))
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

function disagreements(file: ReadonlyMap<string, Given>, environment: ReadonlyMap<string, Given>): string[] {
  return [...environment].flatMap(([name, one]) => {
    const other = file.get(name)
    return other === undefined || JSON.stringify(other.value) === JSON.stringify(one.value)
      ? []
      : [`${name} is set by ${other.from} and by ${one.from}, differently: ${one.from} wins.`]
  })
}

function assemble(given: ReadonlyMap<string, Given>, cwd: string): Config {
  const valueOf = (setting: Setting) => {
    const value = given.has(setting.path) ? given.get(setting.path)?.value : structuredClone(setting.schema.default)
    if (setting.path === 'database.data_directory' && typeof value === 'string') return path.resolve(cwd, value)
    if (setting.path === 'order_types.directories' && Array.isArray(value)) return value.map((entry) => path.resolve(cwd, String(entry)))
    return value
  }
  const entries = sections.map((section) => [
    section.name,
    Object.fromEntries(section.settings.map((setting) => [setting.key, valueOf(setting)])),
  ])
  return Object.fromEntries(entries) as Config
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) deepFreeze(member)
    Object.freeze(value)
  }
  return value
}
