/** What the schema cannot say: rules inside one value, and rules between settings. Each answers with sentences a person can act on. */
import { isIP } from 'node:net'
import { databaseUrlProblems } from './database-url.ts'
import { kindProblems, publisherProblems } from './publisher-rules.ts'
import type { Config } from './schema.ts'

type Rule = (value: never) => string[]

const publicUrl = (value: string): string[] => {
  let url: URL
  try {
    url = new URL(value)
  } catch {
    return [`is not a URL; write the scheme too, as in https://${/^[\w.-]+$/.test(value) ? value : 'work.example.org'}`]
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return ['must begin with https:// or http://']
  if (url.username !== '' || url.password !== '') return ['must not hold a user name or password']
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') return [`must end after the host, as in ${url.origin}`]
  return []
}

const collector = (value: string): string[] => {
  const url = URL.canParse(value) ? new URL(value) : null
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    return [
      `must be an address that begins with http:// or https://, as in http://localhost:4318; OTLP over gRPC (port 4317) is not spoken`,
    ]
  if (url.username !== '' || url.password !== '') return ['must not hold a user name or password; use OTEL_EXPORTER_OTLP_HEADERS']
  return url.search === '' && url.hash === '' ? [] : ['must end after the path']
}

const namedNetworks = ['loopback', 'linklocal', 'uniquelocal']
const isNetwork = (text: string): boolean => {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  return (
    version !== 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)))
  )
}
const trustProxy = (value: false | readonly string[]): string[] =>
  value === false
    ? []
    : value
        .filter((entry) => !namedNetworks.includes(entry) && !isNetwork(entry))
        .map(
          (entry) =>
            `holds '${entry.slice(0, 64)}', which is not an address, a network such as 10.0.0.0/8, or one of ${namedNetworks.join(', ')}`,
        )

const host = (value: string): string[] =>
  /[/@\s]|^https?:/.test(value) || (value.includes(':') && isIP(value) === 0)
    ? ['must be a bare host name or address, without scheme or port; the port is server.port']
    : []

/** Names what is wrong and never repeats the text: it may hold a password. */
const redisUrl = (value: string): string[] => {
  let url: URL
  try {
    url = new URL(value)
  } catch {
    return ['is not a URL; write redis://host:6379, or redis://user:password@host:6379/0']
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') return ['must begin with redis://, or rediss:// for TLS']
  if (url.hostname === '') return ['names no host; write redis://host:6379']
  if (!/^\/?\d*$/.test(url.pathname)) return ['may name a database by number only, as in redis://host:6379/0']
  return []
}

const otlpEndpoint = (value: string): string[] =>
  /^https?:\/\/[^/\s]+/.test(value) && URL.canParse(value)
    ? []
    : ['must be the address of a collector with its scheme, as in http://127.0.0.1:4318']

/** Rules on one value, by setting; they run only when the value has the right type. */
export const valueRules: Readonly<Record<string, Rule>> = {
  'server.host': host,
  'metrics.host': host,
  'metrics.statsd_host': host,
  'metrics.otlp_endpoint': otlpEndpoint,
  'server.public_url': publicUrl,
  'server.trust_proxy': trustProxy,
  'tracing.endpoint': collector,
  'database.url': databaseUrlProblems,
  'database.admin_url': databaseUrlProblems,
  'publishers.kinds': kindProblems,
  'redis.url': redisUrl,
}

/** Rules between settings; they run when every single value is right. */
export function betweenSettings(config: Config): { problems: string[]; notices: string[] } {
  const { lease, retry, query, database, partials, server } = config
  const problems: string[] = []
  const notices: string[] = []
  if (lease.max_age_seconds < lease.ttl_seconds)
    problems.push(
      `lease.max_age_seconds is ${lease.max_age_seconds}, but must be at least lease.ttl_seconds (${lease.ttl_seconds}): a lease lives that long without any heartbeat`,
    )
  if (lease.heartbeat_every_seconds > lease.ttl_seconds / 2)
    problems.push(
      `lease.heartbeat_every_seconds is ${lease.heartbeat_every_seconds}, but must be at most ${Math.floor(lease.ttl_seconds / 2)}, half of lease.ttl_seconds (${lease.ttl_seconds}), so that one lost heartbeat does not cost the lease`,
    )
  if (retry.backoff_seconds > retry.max_backoff_seconds)
    problems.push(
      `retry.backoff_seconds (${retry.backoff_seconds}) is more than retry.max_backoff_seconds (${retry.max_backoff_seconds}); lower one or raise the other`,
    )
  if (query.default_page_size > query.max_page_size)
    problems.push(
      `query.default_page_size (${query.default_page_size}) is more than query.max_page_size (${query.max_page_size}); lower one or raise the other`,
    )
  if (database.admin_url !== undefined && database.url === undefined)
    problems.push(
      'database.admin_url is set, but database.url is not: the server would use the embedded database, which needs neither. Set both or none',
    )
  if (lease.backend === 'redis' && config.redis.url === undefined)
    problems.push('lease.backend is redis, but redis.url is not set: name the Redis (REDIS_URL), or use lease.backend=database')
  if (config.cache.driver === 'redis' && config.redis.url === undefined)
    problems.push('cache.driver is redis, but redis.url is not set: name the Redis, or use cache.driver=memory')
  if (partials.max_payload_bytes > server.body_limit_bytes)
    notices.push(
      `partials.max_payload_bytes (${partials.max_payload_bytes}) can never be reached: server.body_limit_bytes (${server.body_limit_bytes}) refuses the request before.`,
    )
  const { metrics } = config
  if (metrics.driver === 'log' && ['warn', 'error', 'fatal', 'silent'].includes(server.log_level))
    notices.push(`metrics.driver is log, but server.log_level is ${server.log_level}: metrics are logged as info and will not be seen.`)
  if (metrics.port !== undefined && metrics.driver !== 'prometheus')
    notices.push(`metrics.port has no effect: metrics.driver is ${metrics.driver}, and only prometheus is scraped.`)
  if (metrics.port !== undefined && metrics.port !== 0 && metrics.port === server.port)
    problems.push(
      `metrics.port and server.port are both ${server.port}: /metrics is on the main port anyway; leave metrics.port out or choose another`,
    )
  if (metrics.port !== undefined && !isLoopback(metrics.host) && metrics.token === undefined)
    notices.push(`metrics.host is ${metrics.host} and metrics.token is not set: other machines can read /metrics.`)
  if (server.workers !== 1 && config.rate_limits.enabled && config.redis.url === undefined)
    notices.push(
      'server.workers is more than 1 and redis.url is not set: each worker counts requests for itself, so a principal with many connections may reach its rate limit in each of them. With a Redis they count together.',
    )
  if (!isLoopback(server.host))
    notices.push(
      `server.host is ${server.host}: other machines can reach this server. Every request needs an API key; put TLS in front of it.`,
    )
  problems.push(...publisherProblems(config))
  return { problems, notices }
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || name.startsWith('127.')
}
