/** The command line: every command, the global options, and what is said about a wrong one. */
import { Command, CommanderError } from 'commander'
import { nearestName } from '@work-manager/contract/names'
import { addChecks } from './commands/checks.ts'
import { addCompletion } from './commands/completion.ts'
import { addDecisions } from './commands/decide.ts'
import { addDev } from './commands/dev.ts'
import { addItems } from './commands/items.ts'
import { addKeys } from './commands/keys.ts'
import { addLease } from './commands/lease.ts'
import { addLedger } from './commands/ledger.ts'
import { addMaintenance } from './commands/maintenance.ts'
import { addMake } from './commands/make.ts'
import { addMcp } from './commands/mcp.ts'
import { addOps } from './commands/ops.ts'
import { addOrders } from './commands/orders.ts'
import { addPauses } from './commands/pauses.ts'
import { addServing } from './commands/serving.ts'
import { addTail } from './commands/tail.ts'
import { addTenants } from './commands/tenants.ts'
import { addTest } from './commands/test.ts'
import { addTypes } from './commands/types.ts'
import type { Context, GlobalOptions } from './context.ts'
import { usageError, type CliError } from './cli-error.ts'
import { addCall, addDerived } from './derived-commands.ts'
import type { CommandOperation } from './operation-table.ts'

const firstSteps = `Work Manager: the work-order control plane for AI agents.

  work-manager start         start a server and watch the demo do real work
  work-manager orders        list the orders of the running server
  work-manager approve <id>  look at an order and apply it

work-manager --help lists every command.`

/** Parsing ended without a command to run: help or the version was asked for and is printed. */
export class Answered extends Error {}

/** Builds the program. Its actions run within `context`; `table` is what the operations ask for. */
export function buildProgram(context: Context, version: string, table: readonly CommandOperation[]): Command {
  const program = new Command('work-manager')
    .description('Work Manager: the work-order control plane for AI agents.')
    .version(version, '-V, --version', 'print the version')
    .option('--json', 'answer in JSON (also when the output is not a terminal)')
    .option('--url <url>', 'server to talk to (WORK_MANAGER_URL)')
    .option('--key <key>', 'API key (WORK_MANAGER_KEY; better, because other users can see command lines)')
    .option('--key-file <file>', 'file with an API key')
    .option('--config <file>', 'configuration file instead of work-manager.config.*')
    .helpCommand(true)
    .configureOutput({
      writeOut: (text) => context.out.line(text.trimEnd()),
      writeErr: () => {},
    })
    .hook('preAction', () => {
      context.options = program.opts<GlobalOptions>()
      if (context.options.json === true) context.out.json = true
    })
  addServing(program, context)
  addOrders(program, context)
  addItems(program, context)
  addDecisions(program, context)
  addTypes(program, context)
  addTail(program, context)
  addDerived(program, context, table)
  addLedger(program, context)
  addMcp(program, context)
  addKeys(program, context)
  addTenants(program, context)
  addLease(program, context)
  addPauses(program, context)
  addMaintenance(program, context)
  addOps(program, context)
  addChecks(program, context)
  addMake(program, context)
  addTest(program, context)
  addDev(program, context)
  addCompletion(program, context)
  addCall(program, context, table)
  for (const command of everyCommand(program)) {
    command.exitOverride((end) => {
      throw explained(end, command, context)
    })
  }
  return program
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)]
}

function explained(end: CommanderError, command: Command, context: Context): Answered | CliError {
  if (end.exitCode === 0) return new Answered()
  if (end.code === 'commander.help') {
    // A group called without a command: the program itself greets, a group lists what it can do.
    if (command.parent === null) context.out.line(firstSteps)
    else context.out.line(command.helpInformation().trimEnd())
    return new Answered()
  }
  const meant = end.code === 'commander.excessArguments' ? siblingMeant(command) : undefined
  if (meant !== undefined) return meant
  const detail = end.message.replace(/^error: /, '').replace(/\s*\n\s*\(Did you mean (.*?)\?\)$/s, '; did you mean $1?')
  return usageError(/[.?!]$/.test(detail) ? detail : `${detail}.`, `usage: ${nameOf(command)} ${command.usage()}${exampleOf(command)}`)
}

/** `orders shw x` reaches the default command with arguments too many: the first one was meant to be a command. */
function siblingMeant(command: Command): CliError | undefined {
  const { parent, args } = command
  if (parent?.parent === null || parent === null || args[0] === undefined) return undefined
  const known = parent.commands.map((each) => each.name())
  const nearest = nearestName(args[0], known)
  return usageError(
    `unknown command '${args[0]}'${nearest === undefined ? '' : `; did you mean ${nearest}?`}`,
    `usage: ${nameOf(parent)} ${parent.usage()}; known are ${known.join(', ')}`,
  )
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`
}

/** The first line of the Example section of the command's help, if it has one. */
function exampleOf(command: Command): string {
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text) })
  command.outputHelp()
  const example = /\nExample:\n\s*(.+)/.exec(help)?.[1]
  return example === undefined ? `; ${nameOf(command)} --help explains` : `; example: ${example}`
}
