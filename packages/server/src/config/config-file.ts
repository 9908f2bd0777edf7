/** The configuration file: found, imported, and turned into one value per setting. */
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError } from './config-error.ts'
import { holdsPassword } from './database-url.ts'
import type { Given } from './environment.ts'
import { nearestName } from '@work-manager/contract'
import { formerSections, formerSettings, formerUnder, isFormer } from './former-names.ts'
import { offerOwnPackages } from './own-packages.ts'
import { sections, settings } from './settings.ts'
import { configFileNames } from './unconfigured.ts'

export interface FromFile {
  readonly file: string | null
  readonly given: ReadonlyMap<string, Given>
  readonly problems: readonly string[]
  /** What became of settings that the predecessor's file names. */
  readonly notices: readonly string[]
}

/** Reads the named file, or the one in `cwd`; having none is fine. Problems are listed, not thrown. */
export async function readConfigFile(cwd: string, named: string | undefined): Promise<FromFile> {
  const nothing = { file: null, given: new Map<string, Given>(), notices: [] }
  try {
    const file = findFile(cwd, named)
    if (file === null) return { ...nothing, problems: [] }
    const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      throw new ConfigError(
        [
          `${file} cannot be read: ${cause.code === 'EISDIR' ? 'it is a directory' : cause.code === 'EACCES' ? 'no permission' : cause.message}`,
        ],
        { cause },
      )
    })
    const content = await contentOf(file, text)
    const { given, problems, notices } = flatten(content, path.relative(cwd, file) || file, text)
    const all = [...problems, ...(await privacyProblems(file, text, given))]
    return { file, given: atHome(given, path.dirname(file)), problems: all, notices }
  } catch (error) {
    if (error instanceof ConfigError) return { ...nothing, problems: error.problems }
    throw error
  }
}

function findFile(cwd: string, named: string | undefined): string | null {
  if (named !== undefined) {
    const file = path.resolve(cwd, named)
    if (!existsSync(file)) throw new ConfigError([`The configuration file ${file} does not exist`])
    if (!/\.(ts|mts|js|mjs|json)$/.test(file)) throw new ConfigError([`The configuration file ${file} must end in .ts, .js, .mjs or .json`])
    return file
  }
  const found = configFileNames.filter((name) => existsSync(path.join(cwd, name)))
  if (found.length > 1)
    throw new ConfigError([`There are several configuration files in ${cwd}: ${found.join(', ')}. Keep one, or name one with --config`])
  return found[0] === undefined ? null : path.join(cwd, found[0])
}

async function contentOf(file: string, text: string): Promise<Record<string, unknown>> {
  let content: unknown
  offerOwnPackages()
  try {
    content = file.endsWith('.json') ? JSON.parse(text) : ((await import(pathToFileURL(file).href)) as { default?: unknown }).default
  } catch (cause) {
    throw new ConfigError([`${file} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`], { cause })
  }
  if (content === undefined) throw new ConfigError([`${file} has no default export; write: export default defineConfig({ … })`])
  if (!isRecord(content)) throw new ConfigError([`${file} must export an object such as { server: { port: 7420 } }`])
  return content
}

function flatten(content: Record<string, unknown>, shown: string, text: string): Omit<FromFile, 'file'> & { given: Map<string, Given> } {
  const given = new Map<string, Given>()
  const former: Array<{ path: string; value: unknown; from: string }> = []
  const problems: string[] = []
  const unknown = (name: string, where: string, known: readonly string[]) => {
    const nearest = nearestName(name, known)
    problems.push(
      `${shown}${lineOf(text, name)}: ${where} is not a setting; ${nearest === undefined ? `known are ${known.join(', ')}` : `did you mean ${nearest}?`}`,
    )
  }
  for (const [name, members] of Object.entries(content)) {
    const section = sections.find((each) => each.name === name)
    const keys = section?.settings.map((each) => each.key) ?? formerSections[name]
    if (keys === undefined) {
      unknown(
        name,
        name,
        sections.map((each) => each.name),
      )
      continue
    }
    if (members === undefined) continue
    if (!isRecord(members)) {
      problems.push(`${shown}${lineOf(text, name)}: ${name} must be an object with ${keys.join(', ')}`)
      continue
    }
    for (const [key, value] of Object.entries(members)) {
      if (isFormer(`${name}.${key}`))
        for (const one of formerUnder(`${name}.${key}`, value)) {
          if (Object.hasOwn(formerSettings, one.path)) former.push({ ...one, from: `${shown}${lineOf(text, one.key)}` })
          else unknown(one.key, one.path, Object.keys(formerSettings))
        }
      else if (!keys.includes(key)) unknown(key, `${name}.${key}`, keys)
      else if (value !== undefined) given.set(`${name}.${key}`, { value, from: `${shown}${lineOf(text, key)}` })
    }
  }
  return { given, problems, notices: former.map((one) => takeOver(one, given)) }
}

/** A former setting goes to the one that took its place, unless that is given itself. The answer says what became of it. */
function takeOver({ path: name, value, from }: { path: string; value: unknown; from: string }, given: Map<string, Given>): string {
  const { becomes, value: written = (one: unknown) => one, decides = false, says } = formerSettings[name] as (typeof formerSettings)[string]
  // The predecessor wrote null where a limit was left out.
  const now = value === null || becomes === undefined ? undefined : written(value)
  if (becomes === undefined || now === undefined) return `${name} (${from}) ${says}.`
  const other = given.get(becomes)
  if (other !== undefined && !decides) return `${name} (${from}) is left aside: ${becomes} (${other.from}) is set as well.`
  given.set(becomes, { value: now, from })
  return `${name} (${from}) ${says}.`
}

/** Relative paths in a file mean: beside the file, wherever the program was started. */
function atHome(given: ReadonlyMap<string, Given>, directory: string): Map<string, Given> {
  const absolute = (value: unknown) => (typeof value === 'string' && value !== '' ? path.resolve(directory, value) : value)
  return new Map(
    [...given].map(([name, one]) => {
      if (name === 'database.data_directory') return [name, { ...one, value: absolute(one.value) }]
      if (name === 'order_types.directories' && Array.isArray(one.value)) return [name, { ...one, value: one.value.map(absolute) }]
      return [name, one]
    }),
  )
}

/** A file with a password in it that every user of the machine can read gives the database away. */
async function privacyProblems(file: string, text: string, given: ReadonlyMap<string, Given>): Promise<string[]> {
  const secrets = settings.filter((each) => each.schema.secret === true).map((each) => given.get(each.path)?.value)
  // A program may compute the value, for example from the environment: only a password that stands in the file counts.
  if (process.platform === 'win32' || !secrets.some((value) => typeof value === 'string' && text.includes(value) && holdsPassword(value)))
    return []
  const { mode } = await stat(file)
  return (mode & 0o004) === 0
    ? []
    : [`${file} holds a database password and can be read by every user of this machine: chmod 600 '${file}', or set DATABASE_URL instead`]
}

function lineOf(text: string, key: string): string {
  const at = text.search(new RegExp(`["']?${key.replace(/[^\w]/g, String.raw`\$&`)}["']?\\s*:`))
  return at < 0 ? '' : `:${text.slice(0, at).split('\n').length}`
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
