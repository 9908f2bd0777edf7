/**
 * Settings as the predecessor's file names them: read as the setting that took their place, or left aside with the sentence that says
 * what took it. Nobody who brings a file along has to find out by trial which of its lines still count.
 */

interface FormerSetting {
  /** The setting that the value goes to; absent where the former setting has no counterpart. */
  readonly becomes?: string
  /** The value as the present setting writes it; undefined: it says nothing that is not so anyway. */
  readonly value?: (former: unknown) => unknown
  /** It decides even where the present setting is given as well. */
  readonly decides?: boolean
  /** After the name: what became of it. */
  readonly says: string
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `{ max: 100, per: '1m' }` as a number per minute; anything else stays as it is, for the check of the setting to refuse. */
function perMinute(former: unknown): unknown {
  const { max, per } = (former ?? {}) as { max?: unknown; per?: unknown }
  const period = typeof per === 'string' ? /^([1-9]\d{0,4})([smhd])$/.exec(per) : null
  if (!Number.isInteger(max) || (max as number) < 1 || period === null) return former
  const seconds = Number(period[1]) * (units[period[2] as string] as number)
  return Math.max(1, Math.round(((max as number) * 60) / seconds))
}

const perAgent: FormerSetting = { becomes: 'lease.max_per_agent', says: 'is read as lease.max_per_agent' }
const perType: FormerSetting = { becomes: 'lease.max_per_type', says: 'is read as lease.max_per_type' }

/** By `section.key`, or `section.key.member` where the predecessor went one level deeper. */
export const formerSettings: Readonly<Record<string, FormerSetting>> = {
  'concurrency.max_leases_per_agent': perAgent,
  'concurrency.max_leases_per_type': perType,
  'concurrency.rate_limits.agent': {
    becomes: 'rate_limits.default_per_minute',
    value: perMinute,
    says: 'is read as rate_limits.default_per_minute, which counts all requests of one principal (heartbeats too), not checkouts alone',
  },
  'concurrency.rate_limits.type': {
    becomes: 'rate_limits.type_per_minute',
    value: perMinute,
    says: 'is read as rate_limits.type_per_minute, which counts proposals and checkouts of a type',
  },
  'lease.max_leases_per_agent': perAgent,
  'lease.max_leases_per_type': perType,
  'lease.redis_connection': { says: 'has no effect: redis.url (REDIS_URL) says which Redis' },
  'lease.redis_prefix': { becomes: 'redis.prefix', says: 'is read as redis.prefix, which is put before every key' },
  'metrics.enabled': {
    becomes: 'metrics.driver',
    value: (former) => (former === false ? 'null' : former === true ? undefined : former),
    decides: true,
    says: 'is now said by metrics.driver: null where it was false',
  },
  'metrics.namespace': { says: 'has no effect: the name of every metric begins with work_manager_' },
  'metrics.log_channel': { says: 'has no effect: the driver log writes into the log of the server' },
}

/** Sections of the predecessor that are none today: the keys that they had. */
export const formerSections: Readonly<Record<string, readonly string[]>> = {
  concurrency: ['max_leases_per_agent', 'max_leases_per_type', 'rate_limits'],
}

/** True for a key that itself is a former setting, or holds some. */
export const isFormer = (path: string): boolean =>
  Object.keys(formerSettings).some((known) => known === path || known.startsWith(`${path}.`))

/** The former settings that stand under this key, each with its value and the last word of its name. */
export function formerUnder(path: string, value: unknown): Array<{ path: string; key: string; value: unknown }> {
  const key = path.slice(path.lastIndexOf('.') + 1)
  if (Object.hasOwn(formerSettings, path)) return [{ path, key, value }]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [{ path, key, value }]
  return Object.entries(value).map(([member, one]) => ({ path: `${path}.${member}`, key: member, value: one }))
}
