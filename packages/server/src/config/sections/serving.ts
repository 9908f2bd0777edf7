/** What a process is made of: the HTTP server, the database, Redis, the cache, background services. */
import Type from 'typebox'
import { defaultDataDirectory, defaultHost, defaultPort } from '../unconfigured.ts'

const mebibyte = 1024 * 1024
const path = '^(/[A-Za-z0-9._~-]+)+$'
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

export const serverSection = Type.Object(
  {
    host: Type.String({
      default: defaultHost,
      minLength: 1,
      env: ['WORK_MANAGER_HOST'],
      description: 'Address to listen on. Anything but loopback is reachable from other machines; every route asks for a key all the same.',
    }),
    port: Type.Integer({
      default: defaultPort,
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
    workers: Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 64 })], {
      default: 1,
      env: ['WORK_MANAGER_WORKERS'],
      accepts: 'a whole number from 1 to 64, or auto for one per core',
      description:
        'Processes that answer requests on the one port (`work-manager start` and `serve`). More than one gains only where cores are left beside PostgreSQL.',
    }),
  },
  { description: 'The HTTP server.' },
)

export const databaseSection = Type.Object(
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
      default: defaultDataDirectory,
      minLength: 1,
      env: ['WORK_MANAGER_DATA_DIR'],
      description: 'Where the embedded database and the local keys live. Relative to the file that sets it, else to the current directory.',
    }),
    max_connections: Type.Integer({ default: 24, minimum: 6, maximum: 500, description: 'Connections that one process opens at most.' }),
  },
  { description: 'PostgreSQL.' },
)

export const backgroundSection = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: 'Run the background services (reclaim, retry, apply, sequence …) in this process. At least one process must.',
    }),
  },
  { description: 'Background services.' },
)

export const redisSection = Type.Object(
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
      accepts: 'up to 64 characters',
      description: 'Put before every key, so that several systems can share one Redis.',
    }),
  },
  { description: 'The optional Redis.' },
)

export const cacheSection = Type.Object(
  {
    driver: Type.Enum(['memory', 'redis', 'none'], {
      default: 'memory',
      description: 'Where counts over many rows are remembered: in this process, in the configured Redis for all processes, or nowhere.',
    }),
    max_megabytes: Type.Integer({ default: 16, minimum: 1, maximum: 4096, description: 'What one process keeps at most.' }),
  },
  { description: 'The read cache. It never serves what a later change has made wrong.' },
)
