/** The log for people who watch: one plain line per message on stderr. */
import { pino, type Logger } from 'pino'
import { inertLine } from '../log/inert-text.ts'
import type { Output } from './output.ts'

export function plainLog(out: Output, level: string): Logger {
  const write = (record: string) => {
    const { msg, err } = JSON.parse(record) as { msg?: string; err?: { message?: string } }
    out.note(out.paint.dim(`server: ${inertLine([msg, err?.message].filter((part) => part !== undefined && part !== '').join(': '))}`))
  }
  return pino({ level }, { write })
}
