/**
 * Commands that nobody wrote by hand: `call <operation>` for every operation, and the friendly name that it carries. Arguments and
 * options come from the members of the operation's input.
 */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { showAnswer } from './answer-view.ts'
import { callOperation, type Input, inputFile, jsonValue, optionOf } from './call-operation.ts'
import { usageError } from './cli-error.ts'
import type { Context } from './context.ts'
import type { CommandOperation, Member } from './operation-table.ts'

/** Options of the program itself; a member of the same name could not be said. */
const taken = new Set(['json', 'url', 'key', 'key-file', 'config', 'input', 'idempotency-key', 'help', 'version'])

function number(member: Member): (text: string) => number {
  const pattern = member.kind === 'integer' ? /^-?\d{1,15}$/ : /^-?\d+(\.\d+)?$/
  return (text) => {
    if (!pattern.test(text)) throw new InvalidArgumentError(`It takes a ${member.kind === 'integer' ? 'whole number' : 'number'}.`)
    return Number(text)
  }
}

const described = ({ description, required }: Member) =>
  `${description.replace(/\.$/, '')}${required ? `${description ? '; ' : ''}required` : ''}`

function addOption(command: Command, member: Member): void {
  const name = optionOf(member)
  if (taken.has(name.slice(2)))
    throw new Error(`The member ${member.name} cannot become the option ${name}: the program has one of that name.`)
  const value = { text: '<text>', integer: '<n>', number: '<n>', json: '<json>', boolean: '' }[member.kind]
  const option = new Option(`${name} ${value}`.trim(), described(member))
  if (member.choices !== undefined && member.choices.length <= 20) option.choices([...member.choices])
  if (member.kind === 'integer' || member.kind === 'number') option.argParser(number(member))
  command.addOption(option)
}

/** Gives a command the arguments, the options and the action of an operation. Members that are in `fixed` are not asked for. */
export function deriveCommand(
  command: Command,
  context: Context,
  operation: CommandOperation,
  more: { arguments?: readonly string[] } = {},
): Command {
  const first = more.arguments ?? []
  const isArgument = (member: Member) => member.inPath || first.includes(member.name)
  const positional = [
    ...operation.members.filter((member) => member.inPath),
    ...first.map((name) => operation.members.find((one) => one.name === name)!),
  ]
  const options = operation.members.filter((member) => !isArgument(member))
  for (const member of positional)
    command.argument(
      member.required ? `<${member.name.replaceAll('_', '-')}>` : `[${member.name.replaceAll('_', '-')}]`,
      member.description.replace(/\.$/, ''),
    )
  for (const member of options) addOption(command, member)
  if (options.length > 0)
    command.option('--input <file>', 'a JSON file with members of the input, or - for standard input; options win over it')
  if (operation.method === 'POST')
    command.option('--idempotency-key <key>', 'repeat a call with the same key and it happens once (default: a new key)')
  const who = operation.peopleOnly ? ' Only a person’s key may do this.' : ''
  command
    .summary(`${operation.summary.charAt(0).toLowerCase()}${operation.summary.slice(1).replace(/\.$/, '')}`)
    .description(`${operation.summary} It needs the ability ${operation.ability}.${who}`)
  if (options.some((member) => member.kind === 'json'))
    command.addHelpText('after', '\n<json> is JSON text, @file, or - for standard input.')
  return command.action(async (...given: unknown[]) => {
    const values = command.opts<Record<string, unknown>>()
    const input: Input = await inputFile(context, values.input as string | undefined)
    for (const [n, member] of positional.entries()) if (given[n] !== undefined) input[member.name] = given[n]
    for (const member of options) {
      const value = values[camel(member.name)]
      if (value !== undefined)
        input[member.name] = member.kind === 'json' ? await jsonValue(context, value as string, optionOf(member)) : value
    }
    const missing = options.filter((member) => member.required && input[member.name] === undefined)
    if (missing.length > 0)
      throw usageError(
        `${missing.map(optionOf).join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing.`,
        missing.map((member) => `${optionOf(member)}: ${member.description || 'see docs/operations.md'}`).join(' '),
      )
    const body = await callOperation(context, operation, input, values.idempotencyKey as string | undefined)
    showAnswer(context, body)
  })
}

const camel = (name: string): string => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

/** `call`: every operation by its own name. */
export function addCall(program: Command, context: Context, table: readonly CommandOperation[]): void {
  const call = program
    .command('call')
    .summary('call any operation by its name')
    .description(
      'Call any operation by its name, with the members of its input as options. Everything else here is short for one of these.',
    )
  for (const operation of table) deriveCommand(call.command(operation.name), context, operation)
}

/** The friendly names of operations that have no command of their own making. */
export function addDerived(program: Command, context: Context, table: readonly CommandOperation[]): void {
  for (const operation of table) {
    const { command: entry } = operation
    if (entry.byHand === true) continue
    if (entry.short !== undefined) deriveCommand(program.command(entry.short), context, operation, entry)
    const words = entry.words.split(' ')
    let parent = program
    for (const word of words.slice(0, -1)) {
      const noun = parent.commands.find((one) => one.name() === word)
      const meaning = operation.group ?? `${word}: list and use`
      parent = noun ?? parent.command(word).summary(meaning).description(`${meaning}.`)
    }
    const command = deriveCommand(parent.command(words.at(-1)!), context, operation, entry)
    if (entry.example !== undefined) command.addHelpText('after', `\nExample:\n  work-manager ${entry.words} ${entry.example}\n`)
  }
}
