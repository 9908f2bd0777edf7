/**
 * The one connection to Redis that leases, rate limits and the cache share. Redis only ever holds hints: everybody who asks it must
 * have an answer for `isUp() === false` and for a command that fails, so commands are refused at once while the connection is away.
 */
import { createClient } from 'redis'
import type { Logger } from 'pino'

/** What a Redis is used for. Losing keys of `cache` costs a look-up; the others must not be evicted under load. */
export type RedisRole = 'leases' | 'rate limits' | 'cache' | 'publisher'

export interface RedisOptions {
  /** `redis[s]://[[user][:password]@]host[:port][/db]` */
  readonly url: string
  /** Put before every key, so that several systems can share one Redis. */
  readonly prefix: string
  readonly roles: readonly RedisRole[]
  readonly log: Logger
}

/** The Redis that was configured cannot be used as it is; `fix` says what to change. */
export class UnfitRedisError extends Error {
  readonly fix: string
  constructor(message: string, fix: string) {
    super(`${message} ${fix}`)
    this.name = 'UnfitRedisError'
    this.fix = fix
  }
}

/** Answers that waiting does not change: the url is wrong. Told with the address only, never with what the url says before it. */
function unfitBy(message: string, url: string): UnfitRedisError | null {
  const at = new URL(url).host
  if (message.startsWith('NOAUTH'))
    return new UnfitRedisError(
      `Redis at ${at} asks for a password.`,
      'Put it into redis.url: redis://user:password@host:6379 (the user may be empty).',
    )
  if (/^(WRONGPASS|ERR invalid password)/.test(message))
    return new UnfitRedisError(
      `Redis at ${at} does not accept the user or password.`,
      'Correct redis.url, or the user in Redis (redis-cli acl list).',
    )
  if (/^ERR.*(without any password configured|AUTH <password> called)/.test(message))
    return new UnfitRedisError(
      `Redis at ${at} has no password, but redis.url names one.`,
      'Take it out of redis.url, or set requirepass in Redis.',
    )
  if (message.startsWith('ERR DB index'))
    return new UnfitRedisError(
      `Redis at ${at} has no database of that number.`,
      'Correct the number at the end of redis.url; there are usually 16, from 0.',
    )
  return null
}

const connectTimeoutMs = 2_000
/** A hint that takes longer than this is no hint; the database is asked instead. (The client's own `timeout` ends with the sending.) */
const answerTimeoutMs = 250
/** A timer that comes later than this says that this process was kept from running, not that Redis was silent. */
const lateMs = 50
const longestPauseMs = 2_000

/**
 * Calls `judge` after the time that an answer may take, in which this process was awake: an answer that lies unread, or a question that was
 * not even sent, is no silence.
 */
function whenSilent(judge: () => void): () => void {
  let timer: NodeJS.Timeout
  const wait = (): void => {
    const due = performance.now() + answerTimeoutMs
    timer = setTimeout(() => (performance.now() - due > lateMs ? wait() : judge()), answerTimeoutMs)
  }
  wait()
  return () => clearTimeout(timer)
}

function open(url: string) {
  return createClient({
    url,
    name: 'work-manager',
    disableOfflineQueue: true,
    commandsQueueMaxLength: 10_000,
    socket: {
      connectTimeout: connectTimeoutMs,
      reconnectStrategy: (retries) => Math.min(longestPauseMs, 50 * 2 ** Math.min(retries, 6)) * (0.5 + Math.random() / 2),
    },
  })
}
export type RedisClient = ReturnType<typeof open>

/** No answer, or not in time: ask the database. */
export class RedisUnavailableError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'RedisUnavailableError'
  }
}

export interface RedisConnection {
  /**
   * Runs commands and gives their answer, within 250 ms. Refuses with: RedisUnavailableError, at once while Redis is down; after an
   * answer that came too late it counts as down until it answers again. A command whose answer did not come may still have been carried out.
   */
  ask<T>(commands: (client: RedisClient) => Promise<T>): Promise<T>
  /** For what lives outside a request (scripts to load, streams to write); may wait for as long as the connection is away. */
  readonly client: RedisClient
  /** A key: the prefix and the parts, each with its length, so that no two lists of parts make one key. */
  key(...parts: readonly string[]): string
  isUp(): boolean
  /** null while it answers, else why it does not, in words. */
  trouble(): string | null
  /** Called after every change between up and down; returns the function that stops it. */
  onChange(listener: (up: boolean) => void): () => void
  /** The server's maxmemory-policy; null when it may not be asked. */
  policy(): Promise<string | null>
  close(): Promise<void>
}

/**
 * Connects; an unreachable Redis is a warning, not an error: it is tried again for as long as the process runs.
 * Refuses with: UnfitRedisError, when it is reachable and refuses the credentials, or would evict what `roles` other than the cache keep there.
 */
export async function openRedis(options: RedisOptions): Promise<RedisConnection> {
  const { log, roles, prefix } = options
  const client = open(options.url)
  const listeners = new Set<(up: boolean) => void>()
  let up = false
  let closing = false
  let reason = 'it has not answered yet'
  const change = (next: boolean, why?: string): void => {
    if (!next && why !== undefined) reason = why
    if (next === up) return
    up = next
    if (closing) return
    if (up) log.info({ component: 'redis' }, 'Redis answers')
    else log.warn({ component: 'redis', reason: why }, 'Redis does not answer: the database is asked for everything until it does')
    for (const listener of listeners) listener(up)
  }
  /** What was logged since it last answered: two troubles that take turns (no Redis listens there) are said once each. */
  const said = new Set<string>()
  let refuse: (unfit: UnfitRedisError) => void = () => {}
  const refused = new Promise<UnfitRedisError>((resolve) => (refuse = resolve))
  client.on('error', (error: unknown) => {
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
    const message = error instanceof Error ? error.message || code || error.name : String(error)
    const unfit = unfitBy(message, options.url)
    if (unfit) refuse(unfit)
    change(false, message)
    if (said.has(message) || said.size >= 20) return
    said.add(message)
    log.warn({ component: 'redis' }, `Redis: ${message}`)
  })
  client.on('ready', () => {
    said.clear()
    change(true)
  })
  client.on('end', () => change(false, 'closed'))
  client.on('reconnecting', () => change(false, 'connection lost'))

  // `connect` resolves at the first success only; a Redis that is away must not keep the server from starting.
  const connected = client.connect().then(
    () => true,
    () => false,
  )
  let timer: NodeJS.Timeout | undefined
  const first = await Promise.race([connected, refused, new Promise((resolve) => (timer = setTimeout(resolve, connectTimeoutMs)))])
  clearTimeout(timer)
  if (first instanceof UnfitRedisError) {
    client.destroy()
    throw first
  }

  /** Redis did not answer in time (it is paused, or the network is): wait for one answer before it is used again. */
  const pauseUntilItAnswers = (): void => {
    if (!up) return
    change(false, `no answer within ${answerTimeoutMs} ms`)
    client.ping().then(
      () => client.isReady && change(true),
      () => {},
    )
  }

  const connection: RedisConnection = {
    client,
    ask(commands) {
      if (!up) return Promise.reject(new RedisUnavailableError('Redis does not answer'))
      return new Promise((resolve, reject) => {
        const stop = whenSilent(() => {
          pauseUntilItAnswers()
          reject(new RedisUnavailableError(`Redis did not answer within ${answerTimeoutMs} ms`))
        })
        commands(client).then(resolve, reject).finally(stop)
      })
    },
    key: (...parts) => prefix + parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join(','),
    isUp: () => up,
    trouble: () => (up ? null : reason),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async policy() {
      try {
        return (await client.configGet('maxmemory-policy'))['maxmemory-policy'] ?? null
      } catch {
        return null
      }
    },
    async close() {
      listeners.clear()
      closing = true
      client.destroy()
    },
  }
  if (!up) {
    log.warn(
      { component: 'redis' },
      `Redis does not answer at start; without it ${roles.join(', ')} ask the database or this process alone`,
    )
    return connection
  }
  const policy = await connection.policy()
  if (policy?.startsWith('allkeys-') || policy?.startsWith('volatile-')) {
    const kept = roles.filter((role) => role !== 'cache')
    const problem = `Redis has maxmemory-policy ${policy} and would throw keys away under memory pressure.`
    const fix = 'Set it to noeviction: redis-cli config set maxmemory-policy noeviction'
    if (kept.length > 0 && policy.startsWith('allkeys-')) {
      await connection.close()
      throw new UnfitRedisError(problem, `${fix}, or use another Redis for ${kept.join(', ')}.`)
    }
    log.warn({ component: 'redis', policy }, `${problem} ${fix}`)
  }
  return connection
}
