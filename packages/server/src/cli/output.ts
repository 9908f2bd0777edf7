/** Where a command writes: tables and sentences for a terminal, JSON for programs, failures on stderr. */
import { isatty } from 'node:tty'
import picocolors from 'picocolors'
import { exitCodes, type CliError } from './cli-error.ts'
import { fileFailure } from './file-failure.ts'
import { inertJson, inertText, lastLook } from '../log/inert-text.ts'
import { tableLines, type Column } from './table.ts'

export interface Streams {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

export class Output {
  readonly streams: Streams
  readonly isTerminal: boolean
  readonly paint: ReturnType<typeof picocolors.createColors>
  /** Set from --json before a command runs. */
  json: boolean
  /** How our own commands are written in what people read; as the program is called here, once that is known. */
  spell: (text: string) => string = (text) => text

  constructor(streams: Streams, env: Readonly<Record<string, string | undefined>>) {
    this.streams = streams
    this.isTerminal = isatty(1)
    this.json = !this.isTerminal
    this.paint = picocolors.createColors(this.isTerminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb')
    // Whoever reads us (head, a pager) may go away first; that is no failure.
    for (const stream of [streams.stdout, streams.stderr]) {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EPIPE') process.exit(exitCodes.done)
        // A full disk, for example. What was to be said is lost; that it is lost can be said on the other stream.
        const failure = fileFailure(error)
        if (failure === undefined || stream === streams.stderr) process.exit(exitCodes.unfit)
        this.failure(failure, process.argv.includes('--json'))
        process.exit(failure.exit)
      })
    }
  }

  /** A line for people. Text of others is made inert before, on one line; what was forgotten is made so here. */
  line(text = ''): void {
    this.streams.stdout.write(`${lastLook(this.spell(text), this.paint.isColorSupported)}\n`)
  }

  /** A remark that must not end up in a pipe. */
  note(text: string): void {
    this.streams.stderr.write(`${lastLook(this.spell(text), this.paint.isColorSupported)}\n`)
  }

  /** The answer of a command: `value` for programs, whatever `people` writes for a terminal. */
  answer(value: unknown, people: () => void): void {
    if (this.json) this.streams.stdout.write(`${inertJson(value, 2)}\n`)
    else people()
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], empty: string): void {
    if (rows.length === 0) {
      this.line(empty)
      return
    }
    const [titles = '', ...lines] = tableLines(columns, rows, this.streams.stdout.columns ?? 120)
    this.line(this.paint.dim(titles))
    for (const line of lines) this.line(line)
  }

  /** Says why the command failed. `asJson` follows --json alone: a person may pipe stdout and still read stderr. */
  failure(error: CliError, asJson: boolean): void {
    const fix = this.spell(error.fix)
    if (asJson) {
      this.streams.stderr.write(`${inertJson({ ...error.members, code: error.code, detail: error.message, fix, exit: error.exit })}\n`)
      return
    }
    const colours = isatty(2) && this.paint.isColorSupported
    const head = `error[${error.code}]:`
    this.streams.stderr.write(
      `${colours ? this.paint.red(head) : head} ${inertText(error.message)}\n${fix === '' ? '' : `  fix: ${inertText(fix)}\n`}`,
    )
  }
}
