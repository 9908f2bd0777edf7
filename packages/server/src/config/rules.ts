/** What the schema cannot say: rules inside one value, and rules between settings. Each answers with sentences a person can act on. */
import { isIP } from 'node:net'
import { databaseUrlProblems } from './database-url.ts'
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

/** Rules on one value, by setting; they run only when the value has the right type. */
export const valueRules: Readonly<Record<string, Rule>> = {
  'server.host': host,
  'server.public_url': publicUrl,
  'server.trust_proxy': trustProxy,
  'database.url': databaseUrlProblems,
  'database.admin_url': databaseUrlProblems,
}

/** Rules between settings; they run when every single value is right. */
export function betweenSettings(config: Config): { problems: string[]; notices: string[] } {
  const { lease, retry, query, database, partials, server } = config
  const problems: string[] = []
  const notices: string[] = []
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
  if (partials.max_payload_bytes > server.body_limit_bytes)
    notices.push(
      `partials.max_payload_bytes (${partials.max_payload_bytes}) can never be reached: server.body_limit_bytes (${server.body_limit_bytes}) refuses the request before.`,
    )
  if (!isLoopback(server.host))
    notices.push(
      `server.host is ${server.host}: other machines can reach this server. Every request needs an API key; put TLS in front of it.`,
    )
  return { problems, notices }
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || name.startsWith('127.')
}
