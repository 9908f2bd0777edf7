/** `mcp install` and its undoing: one entry in a client's configuration, the file as it was kept beside, the key in a file of its own. */
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { CliError } from '../cli-error.ts'
import { readIfThere, writePrivately } from '../local-files.ts'
import { agentClients, installDirectory, type AgentClient, type ClientName, type Place } from './agent-clients.ts'
import { lineDiff, withEntry, withoutEntry } from './config-text.ts'
import { UnreadableConfig } from './unreadable-config.ts'

/** What was done, so that it can be undone. No key is in it. */
interface Installed {
  readonly file: string
  /** The configuration before; null when there was none. */
  readonly backup: string | null
  readonly key_file: string
  /** The key that was made for this client; null when it was given. */
  readonly key_id: string | null
  /** The key file is ours to remove. */
  readonly owns_key_file: boolean
}

export interface Change {
  readonly client: ClientName
  readonly file: string
  readonly backup: string | null
  readonly key_file: string | null
  /** Lines with `+ `, `- ` or two spaces in front; empty when nothing changed. */
  readonly diff: readonly string[]
}

export interface InstallRequest {
  readonly client: ClientName
  readonly place: Place
  readonly project: boolean
  readonly url: string
  /** A key file of the person's own, which is only referred to. */
  readonly keyFile: string | undefined
  readonly dryRun: boolean
  /** Gives the key to keep; called only when one has to be written. */
  readonly obtainKey: () => Promise<{ text: string; id: string | null }>
}

const bin = fileURLToPath(new URL('../../../bin/work-manager.mjs', import.meta.url))
const recordOf = (place: Place, client: ClientName, file: string): string =>
  path.join(installDirectory(place), `${client}${file.startsWith(place.cwd + path.sep) ? '-project' : ''}.json`)
/** The client's file; where it reads one of several names, the one that is there. */
async function fileOf(client: AgentClient, place: Place, project: boolean): Promise<string> {
  const file = project ? client.projectFile!(place) : client.file(place)
  for (const name of client.otherNames ?? []) {
    const other = path.join(path.dirname(file), name)
    if (await isThere(other)) return other
  }
  return file
}

/** Refuses with: no_project_config, config_unreadable. */
export async function install(request: InstallRequest): Promise<Change> {
  const { client: name, place, project, url, dryRun } = request
  const client = agentClients[name]
  assertScope(client, project)
  const file = await fileOf(client, place, project)
  const record = recordOf(place, name, project ? client.projectFile!(place) : client.file(place))
  const earlier = await readRecord(record)
  const keyFile = request.keyFile ?? earlier?.key_file ?? record.replace(/\.json$/, '.key')
  const before = await readIfThere(file)
  const entry = client.entry({ command: process.execPath, args: [bin, '--url', url, '--key-file', keyFile, 'mcp'] })
  const after = edited(file, () => withEntry(client, before ?? '', entry))
  const diff = lineDiff(before ?? '', after)
  const backup = before === undefined ? null : (earlier?.backup ?? `${file}.before-work-manager`)
  const change: Change = { client: name, file, backup: diff.length === 0 ? (earlier?.backup ?? null) : backup, key_file: keyFile, diff }
  if (dryRun) return change
  const key = request.keyFile === undefined && !(await isThere(keyFile)) ? await request.obtainKey() : undefined
  if (key !== undefined) await writePrivately(keyFile, `${key.text}\n`)
  if (diff.length > 0) {
    if (backup !== null && earlier === undefined) await copyFile(file, backup)
    await writeAs(file, after)
  }
  await writePrivately(
    record,
    `${JSON.stringify({ file, backup: earlier === undefined ? backup : earlier.backup, key_file: keyFile, key_id: key === undefined ? (earlier?.key_id ?? null) : key.id, owns_key_file: request.keyFile === undefined } satisfies Installed, null, 2)}\n`,
  )
  return change
}

export interface UndoRequest {
  readonly client: ClientName
  readonly place: Place
  readonly project: boolean
  readonly dryRun: boolean
  /** Ends the key that was made for the client. */
  readonly revokeKey: (id: string) => Promise<void>
}

/** Puts the file back as it was; where others changed it since, only our entry goes. Refuses with: nothing_to_undo, no_project_config, config_unreadable. */
export async function uninstall({ client: name, place, project, dryRun, revokeKey }: UndoRequest): Promise<Change> {
  const client = agentClients[name]
  assertScope(client, project)
  const record = recordOf(place, name, project ? client.projectFile!(place) : client.file(place))
  const installed = await readRecord(record)
  if (installed === undefined)
    throw new CliError(
      'refused',
      'nothing_to_undo',
      `work-manager was not installed into ${client.title}${project ? ' for this project' : ''} from here.`,
      'Nothing to do. To see what an installation would write: --dry-run.',
    )
  const { file, backup } = installed
  const now = (await readIfThere(file)) ?? ''
  const original = backup === null ? '' : ((await readIfThere(backup)) ?? '')
  const bare = edited(file, () => withoutEntry(client, now))
  // Ours is the only difference: give back the very bytes that were there.
  const untouched = edited(file, () => withoutEntry(client, withEntry(client, original, {}))) === bare
  const after = untouched ? original : bare
  const change: Change = {
    client: name,
    file,
    backup,
    key_file: installed.owns_key_file ? installed.key_file : null,
    diff: lineDiff(now, after),
  }
  if (dryRun) return change
  if (backup === null && untouched) await rm(file, { force: true })
  else if (now !== after) await writeAs(file, after)
  if (backup !== null) await rm(backup, { force: true })
  if (installed.owns_key_file) await rm(installed.key_file, { force: true })
  await rm(record, { force: true })
  if (installed.key_id !== null) await revokeKey(installed.key_id)
  return change
}

function assertScope(client: AgentClient, project: boolean): void {
  if (project && client.projectFile === undefined)
    throw new CliError('usage', 'no_project_config', `${client.title} has no configuration per project.`, 'Leave --project out.')
}

function edited(file: string, edit: () => string): string {
  try {
    return edit()
  } catch (error) {
    if (!(error instanceof UnreadableConfig)) throw error
    throw new CliError(
      'refused',
      'config_unreadable',
      `${file} cannot be changed safely: ${error.message}.`,
      'Nothing was changed. Add the entry by hand; docs/agents.md shows it for every client.',
    )
  }
}

/** Whole or not at all, with the rights that the file had. */
async function writeAs(file: string, text: string): Promise<void> {
  const mode = await stat(file).then(
    (found) => found.mode & 0o777,
    () => 0o600,
  )
  await mkdir(path.dirname(file), { recursive: true })
  const unfinished = `${file}.${process.pid}.tmp`
  try {
    await writeFile(unfinished, text, { mode, flag: 'wx' })
    await rename(unfinished, file)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
}

async function readRecord(file: string): Promise<Installed | undefined> {
  const text = await readIfThere(file)
  return text === undefined ? undefined : (JSON.parse(text) as Installed)
}

const isThere = (file: string): Promise<boolean> =>
  readFile(file).then(
    () => true,
    () => false,
  )
