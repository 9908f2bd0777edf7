/** `completion bash|zsh|fish`: a script that completes commands and options, made from the program itself. */
import { Argument, type Command, type Option } from 'commander'
import type { Context } from '../context.ts'

export function addCompletion(program: Command, context: Context): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .summary('write a completion script')
    .description('Write a script that lets the shell complete commands and options.')
    .addHelpText('after', '\nExample:\n  source <(work-manager completion bash)\n')
    .action((shell: keyof typeof scripts) => context.out.line(scripts[shell](completions(program)).trimEnd()))
}

interface Completion {
  /** The words before, such as `orders list`; empty for the program itself. */
  readonly path: string
  readonly commands: readonly { readonly name: string; readonly summary: string }[]
  readonly options: readonly { readonly name: string; readonly summary: string }[]
}

/** Every place in a command line where something can be completed. */
function completions(command: Command, path = '', global: readonly Option[] = command.options): Completion[] {
  const help = command.createHelp()
  const commands = help.visibleCommands(command).map((one) => ({ name: one.name(), summary: one.summary() || one.description() }))
  const options = [...new Set([...help.visibleOptions(command), ...global.filter((one) => one.long !== '--version')])].flatMap((option) =>
    option.long === undefined || option.long === null ? [] : [{ name: option.long, summary: option.description }],
  )
  return [{ path, commands, options }, ...command.commands.flatMap((one) => completions(one, `${path} ${one.name()}`.trim(), global))]
}

const words = ({ commands, options }: Completion) => [...commands, ...options].map((one) => one.name).join(' ')

/** Walks the words before the cursor down the tree of commands; options are skipped. */
const lookUp = (all: readonly Completion[], join: string) => all.map((one) => `    '${one.path}') ${join}="${words(one)}" ;;`).join('\n')
const known = (all: readonly Completion[]) =>
  all
    .map((one) => `'${one.path}'`)
    .filter((path) => path !== "''")
    .join('|')

const scripts = {
  bash: (all: readonly Completion[]) => `# work-manager completion for bash. Use: source <(work-manager completion bash)
_work_manager() {
  local current="\${COMP_WORDS[COMP_CWORD]}" place="" next="" choices="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${place:+$place }\${COMP_WORDS[i]}"
    case "$next" in ${known(all)}) place="$next" ;; esac
  done
  case "$place" in
${lookUp(all, 'choices')}
  esac
  COMPREPLY=($(compgen -W "$choices" -- "$current"))
}
complete -o default -F _work_manager work-manager
`,
  zsh: (all: readonly Completion[]) => `#compdef work-manager
# work-manager completion for zsh. Use: source <(work-manager completion zsh)
_work_manager() {
  local place="" next="" choices="" i
  for ((i = 2; i < CURRENT; i++)); do
    next="\${place:+$place }\${words[i]}"
    case "$next" in ${known(all)}) place="$next" ;; esac
  done
  case "$place" in
${lookUp(all, 'choices')}
  esac
  compadd -- \${=choices} || _files
}
if [ "$funcstack[1]" = "_work_manager" ]; then _work_manager; else compdef _work_manager work-manager; fi
`,
  fish: (all: readonly Completion[]) => `# work-manager completion for fish. Use: work-manager completion fish | source
function __work_manager_place
  set -l place ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim "$place $word")
    if contains -- "$next" ${all
      .map((one) => `'${one.path}'`)
      .filter((path) => path !== "''")
      .join(' ')}
      set place $next
    end
  end
  string join ' ' -- $place
end
${all
  .flatMap((one) => {
    const here = `-n 'test "$(__work_manager_place)" = "${one.path}"'`
    return [
      ...one.commands.map(({ name, summary }) => `complete -c work-manager ${here} -f -a '${name}' -d ${quoted(summary)}`),
      ...one.options.map(({ name, summary }) => `complete -c work-manager ${here} -l '${name.slice(2)}' -d ${quoted(summary)}`),
    ]
  })
  .join('\n')}
`,
}

const quoted = (text: string) => `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`
