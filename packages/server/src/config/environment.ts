/** Settings from environment variables and command-line flags: texts, turned into the type that the setting has. */
import { readFileSync } from 'node:fs'
import { nearestName } from '@work-manager/contract'
import { settings, unusedVariables, type Setting, type SettingSchema } from './settings.ts'
import { commandLineVariables } from './unconfigured.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** A value and the name under which a person finds it again. */
export interface Given {
  readonly value: unknown
  readonly from: string
}

const truths: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  '1': true,
  false: false,
  no: false,
  off: false,
  '0': false,
}

/** The value that a text means for this setting; the text itself when it means none, which the check then refuses. */
export function fromText(schema: SettingSchema, text: string): unknown {
  const trimmed = text.trim()
  if (schema.type === 'integer') return /^[+-]?\d{1,15}$/.test(trimmed) ? Number(trimmed) : text
  if (schema.type === 'number') return /^[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})$/.test(trimmed) ? Number(trimmed) : text
  if (schema.type === 'boolean') return truths[trimmed.toLowerCase()] ?? text
  // One of several types: a word or a number that the setting knows is meant as such.
  if (schema.anyOf?.some((one) => one.const === trimmed)) return trimmed
  if (schema.anyOf?.some((one) => one.type === 'integer')) return fromText({ ...schema, type: 'integer' }, text)
  if (schema.anyOf !== undefined && truths[trimmed.toLowerCase()] !== undefined) return truths[trimmed.toLowerCase()]
  if (schema.type === 'array' || schema.anyOf !== undefined)
    return trimmed
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '')
  return trimmed
}

export interface FromEnvironment {
  readonly given: ReadonlyMap<string, Given>
  readonly problems: readonly string[]
  readonly notices: readonly string[]
}

/** Behind the name of a secret: the file that holds it, as container engines and service managers hand secrets over. */
const fileSuffix = '_FILE'
/** A secret is a line; whoever names a log or a device by mistake hears of it. */
const longestSecret = 64 * 1024

const fileVariables = ({ schema, env }: Setting): readonly string[] =>
  schema.secret === true ? env.map((name) => `${name}${fileSuffix}`) : []

/**
 * The environment with the secrets that files hold, under the names of their settings, so that all else treats them alike. What is wrong
 * with a file is a problem; the value itself is never repeated.
 */
function withSecretsOfFiles(env: Environment): { env: Environment; problems: string[]; fromFile: ReadonlySet<string> } {
  const whole: Record<string, string | undefined> = { ...env }
  const problems: string[] = []
  const fromFile = new Set<string>()
  for (const variable of settings.flatMap(fileVariables)) {
    const file = (env[variable] ?? '').trim()
    if (file === '') continue
    const name = variable.slice(0, -fileSuffix.length)
    if ((env[name] ?? '').trim() !== '') {
      problems.push(`${name} and ${variable} are both set; keep one of them`)
      continue
    }
    const read = readSecret(file)
    if ('problem' in read) problems.push(`${variable} names ${file}, which ${read.problem}`)
    else {
      whole[name] = read.secret
      fromFile.add(name)
    }
  }
  return { env: whole, problems, fromFile }
}

function readSecret(file: string): { secret: string } | { problem: string } {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    const known: Record<string, string> = { ENOENT: 'does not exist', EISDIR: 'is a directory', EACCES: 'this user may not read' }
    return { problem: known[code] ?? `cannot be read (${code})` }
  }
  const secret = text.trim()
  if (secret === '') return { problem: 'is empty' }
  if (secret.length > longestSecret || /[\r\n\0]/.test(secret))
    return { problem: 'holds more than one line; write the value alone into it' }
  return { secret }
}

/**
 * The predecessor's variable held the name of a connection in another file. A bare word is such a name and leads to no Redis; it is not
 * repeated, since an address may stand there, too.
 */
function withoutConnectionName(env: Environment): { env: Environment; notices: string[] } {
  const { WORK_MANAGER_REDIS_CONNECTION: connection, ...others } = env
  if (!/^[A-Za-z][\w-]*$/.test((connection ?? '').trim())) return { env, notices: [] }
  return {
    env: others,
    notices: ['WORK_MANAGER_REDIS_CONNECTION has no effect: it names a connection, not an address; REDIS_URL says which Redis.'],
  }
}

/** Reads the variables of every setting. An empty variable counts as absent: that is how container files leave one out. */
export function readEnvironment(variables: Environment): FromEnvironment {
  const { env: whole, problems: unreadable, fromFile } = withSecretsOfFiles(variables)
  const { env, notices } = withoutConnectionName(whole)
  const given = new Map<string, Given>()
  for (const setting of settings) {
    const names = setting.env.filter((name) => (env[name] ?? '').trim() !== '')
    const [used, ...others] = names
    if (used === undefined) continue
    given.set(setting.path, {
      value: fromText(setting.schema, env[used] as string),
      from: fromFile.has(used) ? `${used}${fileSuffix}` : used,
    })
    const different = others.filter((name) => env[name] !== env[used])
    if (different.length > 0) notices.push(`${[used, ...different].join(' and ')} are both set and differ: ${used} wins.`)
  }
  const { problems, notices: unused } = judgeNames(env, settings)
  return { given, problems: [...unreadable, ...problems], notices: [...notices, ...unused] }
}

function judgeNames(env: Environment, all: readonly Setting[]): { problems: string[]; notices: string[] } {
  const problems: string[] = []
  const notices: string[] = []
  const known = new Set([...all.flatMap((setting) => [...setting.env, ...fileVariables(setting)]), ...Object.keys(commandLineVariables)])
  for (const name of Object.keys(env)
    .filter((each) => each.startsWith('WORK_MANAGER_') && !known.has(each))
    .sort()) {
    const why = unusedVariables[name]
    if (why !== undefined) notices.push(`${name} has no effect: ${why}.`)
    else {
      const nearest = nearestName(name, known)
      problems.push(
        `The variable ${name} is not known${nearest === undefined ? '; docs/config.md lists the names' : `; did you mean ${nearest}?`}`,
      )
    }
  }
  return { problems, notices }
}
