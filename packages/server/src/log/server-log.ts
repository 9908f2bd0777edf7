/** Where a server logs when nobody says otherwise: lines on stdout, which may be on a disk that fills up. */
import { type Logger, pino } from 'pino'

/** What waits for room is kept up to this; the lines after it are lost, rather than the server. */
const keptBytes = 1024 * 1024

/**
 * The log on stdout. When it cannot be written, `say` hears so, once, and the server goes on: work that is done is worth more than what is
 * said about it. Who reads it may also go away (EPIPE): then there is nothing more to say.
 */
export function serverLog(
  level: string,
  say: (sentence: string) => void = (sentence) => void process.stderr.write(`${sentence}\n`),
): Logger {
  const stdout = pino.destination({ dest: 1, sync: true, maxLength: keptBytes })
  let told = false
  stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (told || code === 'EPIPE') return
    told = true
    say(`The log cannot be written (${code}): the server goes on, and lines are lost until it can.`)
  })
  return pino({ level }, stdout)
}
