/**
 * Every setting of the product, once: name, type, range, default, meaning. The environment names, the checks, the file format and
 * docs/config.md come from this schema. A setting is listed here only when something reads it.
 *
 * Beside the JSON Schema words each setting may carry `env` (older or shorter spellings of its variable), `accepts` (the range in
 * words, where the schema's own words would not help) and `secret` (the value is never shown).
 */
import Type, { type Static } from 'typebox'

const hour = 3600
const day = 24 * hour
const mebibyte = 1024 * 1024

const path = '^(/[A-Za-z0-9._~-]+)+$'
const headerName = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

export const ConfigSchema = Type.Object({
  server: Type.Object(
    {
      host: Type.String({
        default: '127.0.0.1',
        minLength: 1,
        env: ['WORK_MANAGER_HOST'],
        description:
          'Address to listen on. Anything but loopback is reachable from other machines; every route asks for a key all the same.',
      }),
      port: Type.Integer({
        default: 7420,
        minimum: 0,
        maximum: 65535,
        env: ['WORK_MANAGER_PORT'],
        description: 'TCP port. 0 takes any free one.',
      }),
      public_url: Type.Optional(
        Type.String({
          env: ['WORK_MANAGER_PUBLIC_URL'],
          accepts: 'scheme and host without a path, such as https://work.example.org',
          description: 'How clients reach the server, when that differs from host and port. Used in links.',
        }),
      ),
      base_paths: Type.Array(Type.String({ pattern: path }), {
        default: ['/api/work', '/api/agent/work', '/agent/work'],
        minItems: 1,
        uniqueItems: true,
        accepts: 'a list of paths such as /api/work, without a slash at the end',
        description: 'Where the work routes are mounted. The first is the one that links name; the others keep older clients running.',
      }),
      body_limit_bytes: Type.Integer({
        default: mebibyte,
        minimum: 1024,
        maximum: 64 * mebibyte,
        description: 'Largest request body. Larger results go in parts.',
      }),
      trust_proxy: Type.Union([Type.Literal(false), Type.Array(Type.String(), { minItems: 1 })], {
        default: false,
        accepts: 'false, or a list of proxy addresses such as 10.0.0.7, 10.0.0.0/8 or loopback',
        description:
          'Proxies whose X-Forwarded-For is believed. Everybody is never believed: callers could then choose the address that is recorded.',
      }),
      log_level: Type.Enum(logLevels, {
        default: 'info',
        env: ['WORK_MANAGER_LOG_LEVEL'],
        description: 'Least important message that is logged.',
      }),
      drain_seconds: Type.Integer({
        default: 10,
        minimum: 0,
        maximum: 600,
        description: 'How long requests that already run may take to finish after the server was told to stop.',
      }),
    },
    { description: 'The HTTP server.' },
  ),
  database: Type.Object(
    {
      url: Type.Optional(
        Type.String({
          secret: true,
          env: ['DATABASE_URL'],
          accepts: 'postgres://user:password@host:5432/database',
          description:
            'The PostgreSQL that serves, with a role that is neither owner nor superuser. Absent: an embedded PostgreSQL in data_directory.',
        }),
      ),
      admin_url: Type.Optional(
        Type.String({
          secret: true,
          env: ['DATABASE_ADMIN_URL'],
          accepts: 'postgres://owner:password@host:5432/database',
          description: 'The owner’s connection to the same database, for migrations only.',
        }),
      ),
      data_directory: Type.String({
        default: './.work-manager',
        minLength: 1,
        env: ['WORK_MANAGER_DATA_DIR'],
        description:
          'Where the embedded database and the local keys live. Relative to the file that sets it, else to the current directory.',
      }),
      max_connections: Type.Integer({ default: 24, minimum: 4, maximum: 500, description: 'Connections that one process opens at most.' }),
    },
    { description: 'PostgreSQL.' },
  ),
  lease: Type.Object(
    {
      ttl_seconds: Type.Integer({
        default: 600,
        minimum: 5,
        maximum: day,
        env: ['WORK_MANAGER_LEASE_TTL'],
        description: 'How long a lease lives without a heartbeat. Order types may set their own.',
      }),
      heartbeat_every_seconds: Type.Integer({
        default: 120,
        minimum: 1,
        maximum: day / 2,
        description: 'What agents are told to do; at most half of ttl_seconds, so that one lost heartbeat costs nothing.',
      }),
      require_token: Type.Boolean({
        default: false,
        description:
          'Refuse heartbeat, submit and release without the lease token. Off keeps older clients running, which know only their agent id.',
      }),
    },
    { description: 'Exclusive, expiring rights to work on an item.' },
  ),
  retry: Type.Object(
    {
      default_max_attempts: Type.Integer({
        default: 3,
        minimum: 1,
        maximum: 100,
        description: 'Leases that an item may use up before it fails for good. Order types may set their own.',
      }),
      backoff_seconds: Type.Integer({
        default: 60,
        minimum: 0,
        maximum: day,
        description: 'Wait before the first retry; doubles each time.',
      }),
      jitter_seconds: Type.Integer({
        default: 20,
        minimum: 0,
        maximum: day,
        description: 'Up to this much is added at random, so that retries do not come in one wave.',
      }),
      max_backoff_seconds: Type.Integer({
        default: hour,
        minimum: 0,
        maximum: 30 * day,
        description: 'The longest wait between two attempts.',
      }),
    },
    { description: 'What happens after a failed attempt.' },
  ),
  idempotency: Type.Object(
    {
      header: Type.String({
        default: 'X-Idempotency-Key',
        pattern: headerName,
        maxLength: 100,
        accepts: 'the name of an HTTP header',
        description: 'Header that carries the key. Idempotency-Key is always understood as well.',
      }),
      ttl_hours: Type.Integer({ default: 72, minimum: 24, maximum: 24 * 365, description: 'How long an answer can be replayed.' }),
    },
    { description: 'Safe repetition of requests.' },
  ),
  partials: Type.Object(
    {
      max_parts_per_item: Type.Integer({
        default: 100,
        minimum: 1,
        maximum: 10_000,
        env: ['WORK_MANAGER_MAX_PARTS_PER_ITEM'],
        description: 'Part revisions that one item may hold.',
      }),
      max_payload_bytes: Type.Integer({
        default: mebibyte,
        minimum: 1024,
        maximum: 64 * mebibyte,
        env: ['WORK_MANAGER_MAX_PART_PAYLOAD_BYTES'],
        description: 'Largest payload of one part. The whole request must also fit into server.body_limit_bytes.',
      }),
    },
    { description: 'Results handed in piece by piece.' },
  ),
  approval: Type.Object(
    {
      require_digest: Type.Boolean({
        default: false,
        description: 'Refuse an approval that does not name the digest of what it approves.',
      }),
      wait_ms: Type.Integer({
        default: 5000,
        minimum: 0,
        maximum: 60_000,
        description: 'How long approve waits for the changes to be applied before it answers 202.',
      }),
    },
    { description: 'Decisions.' },
  ),
  maintenance: Type.Object(
    {
      // The predecessor waited 48 hours, in which a failed order was neither retried nor anybody's business.
      dead_letter_after_hours: Type.Integer({
        default: 0,
        minimum: 0,
        maximum: 24 * 365,
        description: 'How long a failed order rests before it is set aside with a case file. 0 = at the next sweep (the predecessor: 48).',
      }),
      stale_order_threshold_hours: Type.Integer({
        default: 24,
        minimum: 1,
        maximum: 24 * 365,
        description: 'An order that has not moved for this long is reported.',
      }),
      enable_alerts: Type.Boolean({ default: true, description: 'Record and log stale orders.' }),
      reclaim_every_ms: Type.Integer({
        default: 1000,
        minimum: 50,
        maximum: 60_000,
        description: 'How often expired leases are taken back.',
      }),
    },
    { description: 'Housekeeping.' },
  ),
  query: Type.Object(
    {
      default_page_size: Type.Integer({
        default: 50,
        minimum: 1,
        maximum: 1000,
        description: 'Rows of a list when the caller names no number.',
      }),
      max_page_size: Type.Integer({ default: 100, minimum: 1, maximum: 1000, description: 'Rows of a list at most.' }),
    },
    { description: 'Lists.' },
  ),
  checkout: Type.Object(
    {
      max_wait_seconds: Type.Integer({
        default: 30,
        minimum: 0,
        maximum: 120,
        description: 'The longest ?wait= that a checkout may ask for.',
      }),
    },
    { description: 'Taking items.' },
  ),
  provenance: Type.Object(
    {
      anonymize_ip: Type.Boolean({ default: false, description: 'Record only the network part of caller addresses.' }),
    },
    { description: 'What is kept about callers.' },
  ),
  order_types: Type.Object(
    {
      directories: Type.Array(Type.String({ minLength: 1 }), {
        default: [],
        env: ['WORK_MANAGER_ORDER_TYPES'],
        accepts: 'a list of directories',
        description: 'Where your order types and generators are. Relative to the file that sets it, else to the current directory.',
      }),
      shipped: Type.Boolean({ default: true, description: 'Offer the order types that come with the product.' }),
    },
    { description: 'The kinds of work that the server knows.' },
  ),
  guard: Type.Object(
    {
      secret: Type.Optional(
        Type.String({
          minLength: 32,
          secret: true,
          accepts: 'at least 32 characters; make one with: openssl rand -hex 32',
          description: 'Signs the contexts with which effects call routes behind the direct-mutation guard (createOrderContextGuard).',
        }),
      ),
    },
    { description: 'Routes of your own that only applied orders may call.' },
  ),
  redis: Type.Object(
    {
      url: Type.Optional(
        Type.String({
          secret: true,
          env: ['REDIS_URL', 'WORK_MANAGER_REDIS_CONNECTION'],
          accepts: 'redis://user:password@host:6379/0, or rediss:// for TLS',
          description: 'A Redis for hints: lease hints, shared rate limits, the shared cache. Losing it costs speed, never correctness.',
        }),
      ),
      prefix: Type.String({
        default: 'work:',
        maxLength: 64,
        env: ['WORK_MANAGER_REDIS_PREFIX'],
        accepts: 'up to 64 characters',
        description: 'Put before every key, so that several systems can share one Redis.',
      }),
    },
    { description: 'The optional Redis.' },
  ),
  background: Type.Object(
    {
      enabled: Type.Boolean({
        default: true,
        description: 'Run the background services (reclaim, retry, apply, sequence …) in this process. At least one process must.',
      }),
    },
    { description: 'Background services.' },
  ),
})

type Frozen<T> = T extends readonly (infer E)[] ? readonly Frozen<E>[] : T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T
type PartialDeep<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [K in keyof T]?: PartialDeep<T[K]> } : T

/** All settings, checked and frozen. */
export type Config = Frozen<Static<typeof ConfigSchema>>
/** What a configuration file may say: any part of it. */
export type ConfigInput = PartialDeep<Config>

/** For `work-manager.config.ts`: gives the editor the names and types. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config
}
