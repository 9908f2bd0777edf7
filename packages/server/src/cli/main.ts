/** The entry of `work-manager`: parse, run one command, end with its exit code. */
import { readFileSync } from 'node:fs'
import { Context } from './context.ts'
import { exitCodes } from './cli-error.ts'
import { withNewSpelling } from './old-spellings.ts'
import { explain } from './explain.ts'
import { operationTable } from './generated/operations.ts'
import { commandPattern, invocation, spelled } from './invocation.ts'
import { Output } from './output.ts'
import { Answered, buildProgram } from './program.ts'

const version = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version

async function run(): Promise<number> {
  const out = new Output(process, process.env)
  const context = new Context(out, process.env, process.cwd())
  const onInterrupt = () => context.interrupt.abort()
  process.once('SIGINT', onInterrupt)
  try {
    const program = buildProgram(context, version, operationTable)
    const commands = commandPattern(program.commands.map((command) => command.name()))
    const as = invocation(process.env, process.cwd())
    out.spell = (text) => spelled(text, commands, as)
    await program.parseAsync(withNewSpelling(process.argv.slice(2)), { from: 'user' })
    return exitCodes.done
  } catch (thrown) {
    if (thrown instanceof Answered) return exitCodes.done
    const failure = explain(thrown)
    // Whoever pressed Ctrl-C knows why it ended.
    if (failure.exit !== exitCodes.interrupted) out.failure(failure, process.argv.includes('--json'))
    return failure.exit
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}

process.exitCode = await run()
// The command is over. What was given up on while stopping, a call that never ends for one, must not keep the process.
setTimeout(() => process.exit(), 2000).unref()
