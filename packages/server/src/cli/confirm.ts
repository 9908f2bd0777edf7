/** Asking the person at the terminal. */
import { createInterface } from 'node:readline/promises'
import { isatty } from 'node:tty'
import type { Context } from './context.ts'
import { usageError } from './cli-error.ts'

/** True when somebody can be asked. */
export const someoneThere = (context: Context): boolean => context.out.isTerminal && isatty(0)

export async function confirmed(context: Context, question: string): Promise<boolean> {
  const { stdin, stdout } = context.out.streams
  const terminal = createInterface({ input: stdin, output: stdout })
  terminal.on('SIGINT', () => context.interrupt.abort())
  try {
    const text = await terminal.question(`${question} [y/N] `, { signal: context.interrupt.signal })
    return /^y(es)?$/i.test(text.trim())
  } finally {
    terminal.close()
  }
}

/** Production is what NODE_ENV says at the place where the command runs. */
export const inProduction = (context: Context): boolean => context.env.NODE_ENV === 'production'

/** Asks before something that hurts in production; --force answers. False: do nothing. Refuses with: usage when nobody can be asked. */
export async function allowedInProduction(context: Context, what: string, force: boolean): Promise<boolean> {
  if (force || !inProduction(context)) return true
  if (!someoneThere(context))
    throw usageError(
      `NODE_ENV is production and nobody sits at this terminal to be asked: ${what}`,
      'Say --force, or look first with --dry-run.',
    )
  if (await confirmed(context, `This is production. ${what}`)) return true
  context.out.line('Nothing was done.')
  return false
}
