/** The configuration file: found, imported, and turned into one value per setting. */
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError } from './config-error.ts'
import { holdsPassword } from './database-url.ts'
import type { Given } from './environment.ts'
import { nearestName } from '@work-manager/contract'
import { offerOwnPackages } from './own-packages.ts'
import { sections, settings } from './settings.ts'
import { configFileNames } from './unconfigured.ts'

export interface FromFile {
  readonly file: string | null
  readonly given: ReadonlyMap<string, Given>
  readonly problems: readonly string[]
}

/** Reads the named file, or the one in `cwd`; having none is fine. Problems are listed, not thrown. */
export async function readConfigFile(cwd: string, named: string | undefined): Promise<FromFile> {
  const nothing = { file: null, given: new Map<string, Given>() }
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
    const { given, problems } = flatten(content, path.relative(cwd, file) || file, text)
    return { file, given: atHome(given, path.dirname(file)), problems: [...problems, ...(await privacyProblems(file, text, given))] }
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

function flatten(content: Record<string, unknown>, shown: string, text: string): { given: Map<string, Given>; problems: string[] } {
  const given = new Map<string, Given>()
  const problems: string[] = []
  const unknown = (name: string, where: string, known: readonly string[]) => {
    const nearest = nearestName(name, known)
    problems.push(
      `${shown}${lineOf(text, name)}: ${where} is not a setting; ${nearest === undefined ? `known are ${known.join(', ')}` : `did you mean ${nearest}?`}`,
    )
  }
  for (const [name, members] of Object.entries(content)) {
    const section = sections.find((each) => each.name === name)
    if (section === undefined) {
      unknown(
        name,
        name,
        sections.map((each) => each.name),
      )
      continue
    }
    if (members === undefined) continue
    if (!isRecord(members)) {
      problems.push(`${shown}${lineOf(text, name)}: ${name} must be an object with ${section.settings.map((each) => each.key).join(', ')}`)
      continue
    }
    for (const [key, value] of Object.entries(members)) {
      if (!section.settings.some((each) => each.key === key))
        unknown(
          key,
          `${name}.${key}`,
          section.settings.map((each) => each.key),
        )
      else if (value !== undefined) given.set(`${name}.${key}`, { value, from: `${shown}${lineOf(text, key)}` })
    }
  }
  return { given, problems }
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
