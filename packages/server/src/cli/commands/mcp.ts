/** `mcp`, `mcp install`: the way of AI agents to a server. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Option, type Command } from 'commander'
import { nearestName } from '@work-manager/contract/names'
import type { Context } from '../context.ts'
import { CliError, usageError } from '../cli-error.ts'
import { withKeyStore } from '../key-store.ts'
import { agentClients, clientNames, placeOf, type ClientName } from '../mcp/agent-clients.ts'
import { runBridge } from '../mcp/bridge.ts'
import { toolsOf } from '../mcp/tools-of.ts'
import { install, uninstall, type Change } from '../mcp/install.ts'
import { inertJsonText } from '../../log/inert-text.ts'
import { usualAbilities } from '../usual-abilities.ts'

export function addMcp(program: Command, context: Context): void {
  const mcp = program
    .command('mcp')
    .summary('serve MCP over stdio, for an AI agent')
    .description(
      'Serve MCP over stdio: a client such as Claude Code starts this. It needs WORK_MANAGER_KEY or --key-file, and a running server (WORK_MANAGER_URL).',
    )
    .action(() => serveStdio(context))
  mcp
    .command('install')
    .summary('connect an AI agent')
    .description('Write the configuration of an MCP client, with a key of its own, and show what changed.')
    .addOption(new Option('--client <client>', `which client: ${clientNames.join(', ')}`).argParser(clientNamed).makeOptionMandatory())
    .option('--project', 'into the project in this directory instead of the person’s own configuration')
    .option('--agent <id>', 'id of the agent on the record (default: the name of the client)')
    .option('--undo', 'take back what an earlier installation wrote')
    .option('--dry-run', 'only show what would change')
    .addHelpText('after', '\nExample:\n  work-manager mcp install --client claude-code\n')
    .action((options: InstallOptions) => runInstall(context, options))
}

async function serveStdio(context: Context): Promise<void> {
  const key = await context.namedKey()
  if (key === undefined)
    throw new CliError(
      'permission',
      'auth_required',
      'An agent needs a key of its own: --key-file or WORK_MANAGER_KEY. The key of the person at this machine is never taken for one.',
      'Run `work-manager mcp install --client claude-code` (it makes a key), or `work-manager keys create --kind agent --principal <id>`.',
    )
  const { stdin, stdout } = context.out.streams
  // Other commands end at once when nobody reads them; this one has something to take back first.
  stdout.removeAllListeners('error')
  stdout.on('error', () => {})
  await runBridge({
    endpoint: new URL('/mcp', await context.url()).href,
    key: key.text,
    input: stdin,
    // The same JSON to the client; nothing that acts, where its log ends up on a terminal.
    write: (frame) =>
      new Promise((resolve, reject) => {
        stdout.write(`${inertJsonText(frame)}\n`, (error) => (error ? reject(error) : resolve()))
      }),
    note: (text) => context.out.note(text),
    signal: context.interrupt.signal,
  })
}

interface InstallOptions {
  readonly client: ClientName
  readonly project?: boolean
  readonly agent?: string
  readonly undo?: boolean
  readonly dryRun?: boolean
}

function clientNamed(text: string): ClientName {
  const found = clientNames.find((name) => name === text)
  if (found !== undefined) return found
  const near = nearestName(text, clientNames)
  throw usageError(
    `There is no client '${text}'${near === undefined ? '' : `; did you mean ${near}?`}`,
    `Known are ${clientNames.join(', ')}.`,
  )
}

async function runInstall(context: Context, options: InstallOptions): Promise<void> {
  const { out } = context
  const place = placeOf(context.env, context.cwd)
  const asked = { client: options.client, place, project: options.project === true, dryRun: options.dryRun === true }
  if (options.undo === true) {
    const revokeKey = (id: string) =>
      withKeyStore(context, undefined, (keys) => keys.revoke(id)).catch((error: Error) => {
        out.note(`notice: the key ${id} could not be revoked (${error.message}); do it later: work-manager keys revoke ${id}`)
      })
    show(context, options, await uninstall({ ...asked, revokeKey }))
    return
  }
  const { keyFile } = context.options
  const change = await install({
    ...asked,
    url: await context.url(),
    keyFile: keyFile === undefined ? undefined : path.resolve(context.cwd, keyFile),
    // A key in WORK_MANAGER_KEY is the one of whoever types: it makes the agent's key and is not given away.
    obtainKey: async () => (context.options.key === undefined ? makeAgentKey(context, options) : { text: context.options.key, id: null }),
  })
  show(context, options, change)
  if (options.dryRun !== true) await tellWhatWorks(context, change)
}

/** Asks the server with the agent's own key, so that whoever installs knows now and not in the client. */
async function tellWhatWorks(context: Context, { key_file: keyFile }: Change): Promise<void> {
  const endpoint = new URL('/mcp', await context.url()).href
  const key = (await readFile(keyFile!, 'utf8')).trim()
  let tools: readonly string[]
  try {
    tools = await toolsOf(endpoint, key, context.interrupt.signal)
  } catch (error) {
    context.out.note(`notice: ${endpoint} does not serve this key yet: ${(error as Error).message}`)
    return
  }
  if (tools.includes('work_approve'))
    context.out.note(
      'notice: this is a person’s key: the agent could approve and reject in that person’s name. Leave --key and --key-file out to get an agent’s key.',
    )
  if (!context.out.json) context.out.line(`Checked: ${endpoint} serves it ${tools.length} tools.`)
}

/** An agent's key: it can do the work and never decide. */
async function makeAgentKey(context: Context, { client, agent = client }: InstallOptions): Promise<{ text: string; id: string }> {
  const made = await withKeyStore(context, undefined, (keys) =>
    keys.create({
      kind: 'agent',
      principalId: agent,
      name: `${agentClients[client].title} (mcp install)`,
      abilities: usualAbilities.agent,
    }),
  )
  // An agent's: those are shown.
  return { text: made.key!, id: made.id }
}

function show(context: Context, options: InstallOptions, change: Change): void {
  const { out } = context
  out.answer(change, () => {
    const { title, afterwards } = agentClients[change.client]
    if (change.diff.length === 0) {
      out.line(`${change.file} already says it; nothing changed.`)
      return
    }
    out.line(change.file)
    for (const line of change.diff)
      out.line(line.startsWith('+') ? out.paint.green(line) : line.startsWith('-') ? out.paint.red(line) : line)
    if (options.dryRun === true) {
      out.line('\nNothing was written (--dry-run).')
      return
    }
    if (options.undo === true) {
      out.line(`\n${title} is as it was before.`)
      return
    }
    out.line()
    if (change.backup !== null) out.line(`The file as it was: ${change.backup}`)
    out.line(`The key is in ${change.key_file} (only you can read it); the configuration only names that file.`)
    out.line(
      `${afterwards} To undo: work-manager mcp install --client ${change.client}${options.project === true ? ' --project' : ''} --undo`,
    )
  })
}
