/**
 * A connection that cannot hang. A network that swallows packets, or a machine that is gone without a word, never says so: the server's
 * own limits do not reach us, and the system gives up after a quarter of an hour. So every statement has a deadline here, a little over
 * the server's; past it the connection is destroyed, and whoever waits for it hears ETIMEDOUT.
 */
import pg from 'pg'
import { statementTimeoutMs } from './session.ts'

export const connectWithinMs = 5000
/** The server gives up first, so that a slow statement is told from a silent connection. */
const beyondServerMs = 2000
export const answerWithinMs = statementTimeoutMs + beyondServerMs
/** A process that was kept from running finds its timers due before it has read what was sent to it long ago. */
const readFirstMs = 250
const endWithinMs = 1000
/** Also finds out about connections that nobody uses. */
const keepAliveAfterMs = 10_000

/** The server, or the way to it, said nothing for longer than it may. */
export class DatabaseSilent extends Error {
  readonly code = 'ETIMEDOUT'
  constructor(limitMs: number) {
    super(`the database has not answered for ${limitMs} ms; the connection was given up`)
    this.name = 'DatabaseSilent'
  }
}

export interface WatchedConfig extends pg.ClientConfig {
  /** Deadline of each statement; 0: none, for statements that may take as long as they need. */
  readonly answerWithinMs?: number
  /** Called when a deadline passed. */
  readonly onSilent?: () => void
}

export class WatchedClient extends pg.Client {
  /** How the other end introduced itself; the driver's types leave it out. */
  declare readonly processID: number
  /** For the statements from now on. */
  answerWithinMs: number
  private readonly usualMs: number
  private readonly onSilent: () => void

  constructor(config: WatchedConfig = {}) {
    super({ connectionTimeoutMillis: connectWithinMs, ...config, keepAlive: true, keepAliveInitialDelayMillis: keepAliveAfterMs })
    this.usualMs = config.answerWithinMs ?? answerWithinMs
    this.answerWithinMs = this.usualMs
    this.onSilent = config.onSilent ?? (() => {})
    const ask = super.query.bind(this) as (...given: unknown[]) => unknown
    // Not as a method: it has the driver's overloads as they are.
    this.query = ((...given: unknown[]) => this.watched(ask, given)) as pg.Client['query']
  }

  private watched(ask: (...given: unknown[]) => unknown, given: unknown[]): unknown {
    const stop = this.watch()
    const last = given.at(-1)
    if (typeof last === 'function') {
      const told = (...answer: unknown[]): unknown => {
        stop()
        return (last as (...answer: unknown[]) => unknown)(...answer)
      }
      return ask(...given.slice(0, -1), told)
    }
    const asked = ask(...given)
    if (asked instanceof Promise) asked.then(stop, stop)
    else stop()
    return asked
  }

  /** The limit of each statement is the usual one again. */
  reset(): void {
    this.answerWithinMs = this.usualMs
  }

  /** Ends it without a good-bye: nobody would hear one. */
  destroy(reason?: Error): void {
    this.connection.stream.destroy(reason)
  }

  override end(): Promise<void>
  override end(callback: (error?: Error) => void): void
  override end(callback?: (error?: Error) => void): Promise<void> | undefined {
    // Who does not answer does not say good-bye either.
    const timer = setTimeout(() => this.destroy(), endWithinMs).unref()
    this.once('end', () => clearTimeout(timer))
    if (!callback) return super.end()
    super.end(callback)
    return undefined
  }

  private watch(): () => void {
    const limitMs = this.answerWithinMs
    if (limitMs === 0) return () => {}
    let timer = setTimeout(() => {
      timer = setTimeout(() => {
        this.onSilent()
        this.destroy(new DatabaseSilent(limitMs))
      }, readFirstMs)
    }, limitMs)
    return () => clearTimeout(timer)
  }
}

/** A connection of one's own, open. Without `answerWithinMs` its statements have the usual deadline. */
export async function openClient(config: WatchedConfig): Promise<WatchedClient> {
  const client = new WatchedClient(config)
  // Without a listener a broken connection would end the process; whoever uses it hears of it.
  client.on('error', () => {})
  await client.connect()
  return client
}
