/** docs/cli.md, from the program itself: every command with its arguments and options, the exit codes, the old spellings. */
import type { Command } from 'commander'
import { exitCodes, exitMeanings } from './cli-error.ts'
import { knownOldSpellings } from './old-spellings.ts'
import { Context } from './context.ts'
import type { CommandOperation } from './operation-table.ts'
import { Output } from './output.ts'
import { buildProgram } from './program.ts'

const cell = (text: string) => text.replaceAll('|', String.raw`\|`).replaceAll(/\s*\n\s*/g, ' ')
const code = (text: string) => `\`${text}\``

const introduction = `# The command line

Generated from \`packages/server/src/cli/\` and the list of operations; edit those, then run \`npm run generate\`.

\`work-manager\` does everything that the server can do. Tables and sentences on a terminal, JSON in a pipe or with \`--json\`; what went wrong
goes to stderr with a code and a fix (with \`--json\` as one JSON object), and the exit code says of what kind it is.

## Which server, which key

- **The server**: \`--url\`, else \`WORK_MANAGER_URL\`, else the server that runs in this directory. An address without a path gets \`/api/work\`.
- **The key**: \`--key\`, else \`--key-file\`, else \`WORK_MANAGER_KEY\`, else \`reviewer.key\` in the data directory of a local server, which is the
  key of the person at this terminal.
- \`keys\`, \`generate\` and \`maintain\` open the database themselves where \`DATABASE_URL\` is set or no server runs; every other command asks a
  running server.

## Completion

\`\`\`
source <(work-manager completion bash)     # in ~/.bashrc
source <(work-manager completion zsh)      # in ~/.zshrc
work-manager completion fish | source      # in ~/.config/fish/config.fish
\`\`\``

/** The text of docs/cli.md. */
export function renderCliDocs(table: readonly CommandOperation[]): string {
  const program = buildProgram(new Context(new Output(process, {}), {}, '/'), '0', table)
  const call = program.commands.find((one) => one.name() === 'call')!
  const lines = [introduction, '', '## Exit codes', '', '| Code | Meaning |', '|---|---|']
  for (const [name, number] of Object.entries(exitCodes))
    lines.push(`| ${number} | ${cell(exitMeanings[name as keyof typeof exitCodes])} |`)
  lines.push(
    '',
    '## Every operation has a command',
    '',
    `${code('work-manager call <operation>')} calls any of them with the members of its input as options, or ${code('--input file.json')}. The usual ones have names:`,
    '',
    '| Operation | Command |',
    '|---|---|',
  )
  for (const { name, command } of table) lines.push(`| [${code(name)}](operations.md) | ${code(`work-manager ${command.words}`)} |`)
  lines.push('', '## Commands')
  for (const command of commandsOf(program)) if (command !== call && command.parent !== call) lines.push('', ...section(command))
  lines.push(
    '',
    ...section(call),
    '',
    '## Spellings of the predecessor',
    '',
    'Still understood, also with `work-manager:` in front.',
    '',
    '| Old | New |',
    '|---|---|',
  )
  for (const [old, now] of knownOldSpellings) if (old !== now) lines.push(`| ${code(old)} | ${code(now)} |`)
  return `${lines.join('\n')}\n`
}

/** Every command below, parents first; the built-in help is not one of ours. */
export function commandsOf(command: Command): Command[] {
  return command.commands.flatMap((one) => [one, ...commandsOf(one)])
}

export function wordsOf(command: Command): string {
  return command.parent === null ? '' : `${wordsOf(command.parent)} ${command.name()}`.trim()
}

function section(command: Command): string[] {
  const help = command.createHelp()
  const rows = [
    ...help.visibleArguments(command).map((one) => [`<${one.name()}>`, one.description]),
    ...help
      .visibleOptions(command)
      .filter((option) => option.long !== '--help')
      .map((option) => [option.flags, help.optionDescription(option)]),
  ]
  const isGroup = command.commands.length > 0
  const lines = [`### work-manager ${wordsOf(command)}`, '', command.description()]
  if (!isGroup || rows.length > 0) lines.push('', '```', `work-manager ${wordsOf(command)} ${command.usage()}`.trim(), '```')
  if (isGroup && command.name() !== 'call') lines.push('', `Commands: ${command.commands.map((one) => code(one.name())).join(', ')}.`)
  if (rows.length > 0) lines.push('', '| | |', '|---|---|', ...rows.map(([name, text]) => `| ${code(cell(name!))} | ${cell(text!)} |`))
  return lines
}
