/** How work is given out, handed in, decided and kept in order. */
import Type from 'typebox'

const hour = 3600
const day = 24 * 3600
const mebibyte = 1024 * 1024
const headerName = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"

export const leaseSection = Type.Object(
  {
    backend: Type.Enum(['database', 'redis'], {
      default: 'database',
      description:
        'Where claims and heartbeats look first. PostgreSQL grants and judges every lease either way; with redis it is asked less often (docs/redis.md).',
    }),
    ttl_seconds: Type.Integer({
      default: 600,
      minimum: 5,
      maximum: day,
      env: ['WORK_MANAGER_LEASE_TTL'],
      description: 'How long a lease lives without a heartbeat. Order types may set their own.',
    }),
    max_age_seconds: Type.Integer({
      default: day,
      minimum: 5,
      maximum: 30 * day,
      description:
        'How old a lease grows by heartbeats alone; an accepted part begins it anew. Order types may set their own (maxLeaseSeconds).',
    }),
    cooldown_seconds: Type.Integer({
      default: 60,
      minimum: 0,
      maximum: hour,
      description:
        'How long an agent that let the same item go twice (released, failed or fell silent) is offered it later than the others; twice as long each time, an hour at most. 0: never. Order types may set their own (cooldownSeconds).',
    }),
    release_grace_seconds: Type.Integer({
      default: 30,
      minimum: 0,
      maximum: hour,
      description: 'An item that is released this soon after its checkout costs no attempt.',
    }),
    heartbeat_every_seconds: Type.Integer({
      default: 120,
      minimum: 1,
      maximum: day / 2,
      description: 'What agents are told to do; at most half of ttl_seconds, so that one lost heartbeat costs nothing.',
    }),
    require_token: Type.Boolean({
      default: true,
      description:
        'Refuse heartbeat, submit and release without the lease token. Off keeps older clients running, which know only their agent id; a stale process of the same agent can then hand in under the next lease.',
    }),
    max_per_agent: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        env: ['WORK_MANAGER_MAX_LEASES_PER_AGENT'],
        accepts: 'a whole number from 1 to 1000000; leave it out for no limit',
        description: 'Leases that one agent id may hold at a time, counted for each principal that names it.',
      }),
    ),
    max_per_principal: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        accepts: 'a whole number from 1 to 1000000; leave it out for ten times max_per_agent',
        description: 'Leases that one principal may hold at a time under all the agent ids that it names (a service names many).',
      }),
    ),
    max_per_type: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        env: ['WORK_MANAGER_MAX_LEASES_PER_TYPE'],
        accepts: 'a whole number from 1 to 1000000; leave it out for no limit',
        description: 'Leases in force at a time per order type, within one tenant. Order types may set their own (maxLeases).',
      }),
    ),
    max_per_tenant: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        env: ['WORK_MANAGER_MAX_LEASES_PER_TENANT'],
        accepts: 'a whole number from 1 to 1000000; leave it out for no limit',
        description: 'Leases in force at a time within one tenant.',
      }),
    ),
  },
  { description: 'Exclusive, expiring rights to work on an item.' },
)

export const checkoutSection = Type.Object(
  {
    max_wait_seconds: Type.Integer({
      default: 30,
      minimum: 0,
      maximum: 120,
      description: 'The longest ?wait= that a checkout may ask for.',
    }),
    ageing_seconds: Type.Integer({
      default: 600,
      minimum: 1,
      maximum: day,
      description:
        'What one point of priority is worth: an item goes before another one that has waited up to this much longer per point. Waiting makes up for priority, so nothing waits for ever.',
    }),
  },
  { description: 'Taking items.' },
)

export const proposeSection = Type.Object(
  {
    max_open_per_principal: Type.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 10_000_000,
      description:
        'Orders of one principal that may be open (neither completed nor ended otherwise) at a time, within a tenth of what is left.',
    }),
  },
  { description: 'Proposing orders.' },
)

export const retrySection = Type.Object(
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
      description:
        'Longest wait before the first retry; doubles each time. How long it is, is drawn: anything from nothing to this plus the jitter.',
    }),
    jitter_seconds: Type.Integer({
      default: 20,
      minimum: 0,
      maximum: day,
      description: 'Added to the longest wait before it is drawn, so that retries whose window is short do not come in one wave.',
    }),
    max_backoff_seconds: Type.Integer({
      default: hour,
      minimum: 0,
      maximum: 30 * day,
      description: 'The longest wait between two attempts, the jitter aside.',
    }),
    max_retry_after_seconds: Type.Integer({
      default: day,
      minimum: 0,
      maximum: 7 * day,
      description:
        'The longest `retry_after` that an agent may ask for when it fails an item; more is shortened to it, and the answer says so. Order types may set their own (retry.maxRetryAfterSeconds).',
    }),
  },
  { description: 'What happens after a failed attempt.' },
)

export const partialsSection = Type.Object(
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
    max_item_bytes: Type.Integer({
      default: 4 * mebibyte,
      minimum: 1024,
      maximum: 64 * mebibyte,
      env: ['WORK_MANAGER_MAX_PARTS_BYTES_PER_ITEM'],
      description:
        'Largest sum of the parts of one item, and so of a result that finalize assembles: it is put together in memory, and other requests wait while a result of many megabytes is written.',
    }),
  },
  { description: 'Results handed in piece by piece.' },
)

export const approvalSection = Type.Object(
  {
    require_digest: Type.Boolean({
      default: true,
      description:
        'Refuse an approval that does not name the digest of what it approves. Off, an approval by id alone takes what was last shown to that person, or, when nothing was, what is there at that moment.',
    }),
    wait_ms: Type.Integer({
      default: 5000,
      minimum: 0,
      maximum: 60_000,
      description: 'How long approve waits for the changes to be applied before it answers 202.',
    }),
  },
  { description: 'Decisions.' },
)

export const idempotencySection = Type.Object(
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
)

export const maintenanceSection = Type.Object(
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
    self_check_minutes: Type.Integer({
      default: 60,
      minimum: 0,
      maximum: 24 * 60,
      description: 'How often the server verifies what is new on its own record, and what it speaks of; all of it once a day. 0: never.',
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
)

export const orderTypesSection = Type.Object(
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
)

export const guardSection = Type.Object(
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
)
