/**
 * The objects of the wire, as TypeBox schemas (each one is JSON Schema 2020-12). Success shapes keep the predecessor's member
 * names; members that it does not have are additions. Timestamps: RFC 3339, UTC. Ids: UUID (orders, items, parts: version 7).
 */
import Type, { type Static, type TSchema } from 'typebox'
import { itemStates, orderStates, partStatuses } from './machines.ts'

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const uuid = (description: string) => Type.String({ format: 'uuid', description })
const time = (description: string) => Type.String({ format: 'date-time', description })
/** Any JSON object or array, kept as given. */
const anyJson = (description: string) => Type.Unknown({ description })

export const FieldErrorShape = Type.Object(
  {
    code: Type.String({ minLength: 1, maxLength: 120, description: 'Short stable word for the kind of problem.' }),
    message: Type.String({ minLength: 1, maxLength: 2000, description: 'One sentence: what is wrong and what to do.' }),
    field: Type.Optional(nullable(Type.String({ maxLength: 500, description: 'Dotted path inside the result.' }))),
    item_id: Type.Optional(nullable(uuid('The item that the error is about; absent: all reworked items.'))),
  },
  { additionalProperties: true, title: 'ReviewError' },
)

/** Evidence as the product's standard has it; types may ask for more members. Hash and quote are checked by the server where it can. */
export const EvidenceShape = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: 2000, description: 'Where it was found: a URL, or file: and a path for local evidence.' }),
    retrieved_at: Type.Optional(time('When it was read.')),
    retrieved_via: Type.Optional(Type.Enum(['agent_browser', 'api', 'scraper', 'file'])),
    quote: Type.Optional(Type.String({ maxLength: 10_000, description: 'Verbatim text from the source.' })),
    source_name: Type.Optional(Type.String({ maxLength: 500 })),
    source_type: Type.Optional(Type.Enum(['official', 'research', 'news', 'community', 'commercial'])),
    credibility: Type.Optional(Type.Enum(['high', 'medium', 'low'])),
    source_credibility: Type.Optional(Type.Enum(['high', 'medium', 'low'], { description: 'Older spelling of credibility.' })),
    license: Type.Optional(Type.Enum(['public', 'fair_use', 'proprietary'])),
    hash: Type.Optional(Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description: 'SHA-256 of the whole source.' })),
  },
  { additionalProperties: true, title: 'Evidence' },
)
export type Evidence = Static<typeof EvidenceShape>

export const DiffShape = Type.Object(
  {
    before: Type.Record(Type.String(), Type.Unknown()),
    after: Type.Record(Type.String(), Type.Unknown()),
    changes: Type.Record(Type.String(), Type.Unknown(), { description: 'key → {type: added|modified|removed, …}' }),
    summary: nullable(Type.String()),
  },
  { title: 'Diff' },
)
export type Diff = Static<typeof DiffShape>

export const ItemShape = Type.Object(
  {
    id: uuid('Item id.'),
    order_id: uuid('The order it belongs to.'),
    ordinal: Type.Integer({ description: 'Position in the plan, from 0.' }),
    type: Type.String(),
    state: Type.Enum(itemStates),
    attempts: Type.Integer({ description: 'Leases granted so far.' }),
    max_attempts: Type.Integer(),
    leased_by_agent_id: nullable(Type.String()),
    lease_expires_at: nullable(time('End of the live lease.')),
    last_heartbeat_at: nullable(time('')),
    input: anyJson('What the agent works on.'),
    result: anyJson('The latest submission, or null.'),
    assembled_result: anyJson('The latest submission when it was assembled from parts, or null.'),
    evidence: anyJson('Evidence of the latest submission, or null.'),
    parts_required: nullable(Type.Array(Type.String())),
    parts_state: anyJson('part_key → {status, seq, checksum, submitted_at}, or null.'),
    error: anyJson('The last failure or refusal, or null.'),
    rework: anyJson('What the reviewer asked to change, or null.'),
    submission_number: Type.Integer({ description: 'How many submissions were accepted for this item.' }),
    available_at: nullable(time('When the retry scheduler brings the item back.')),
    accepted_at: nullable(time('')),
    created_at: time(''),
    updated_at: time(''),
  },
  { title: 'Item' },
)

export const EventShape = Type.Object(
  {
    id: uuid('Event id.'),
    seq: nullable(
      Type.Integer({ description: 'Gap-free number in the tenant’s ledger; null for the few milliseconds before it is sequenced.' }),
    ),
    order_id: nullable(uuid('')),
    item_id: nullable(uuid('')),
    event: Type.String({ description: 'The predecessor’s word for the fact, such as submitted.' }),
    kind: Type.String({ description: 'The full name, such as item.submitted.' }),
    actor_type: nullable(Type.Enum(['user', 'agent', 'system'])),
    actor_id: nullable(Type.String()),
    principal: nullable(Type.String({ description: 'The credential behind the actor.' })),
    request_id: nullable(Type.String()),
    trace_id: nullable(
      Type.String({ description: 'The trace that the fact belongs to: the caller’s own, or else the one of its order (docs/tracing.md).' }),
    ),
    provenance_id: nullable(uuid('See GET /provenance.')),
    payload: anyJson(''),
    diff: anyJson(''),
    message: nullable(Type.String()),
    created_at: time('The decision point: read from the database clock after the locks were held.'),
  },
  { title: 'Event' },
)

export const OrderShape = Type.Object(
  {
    id: uuid('Order id.'),
    type: Type.String(),
    type_version: Type.Integer(),
    state: Type.Enum(orderStates),
    priority: Type.Integer(),
    revision: Type.Integer({ description: 'Starts at 1; each rework adds one.' }),
    requested_by_type: nullable(Type.String()),
    requested_by_id: nullable(Type.String()),
    payload: anyJson(''),
    meta: anyJson(''),
    acceptance_config: anyJson('The payload schema at proposal time.'),
    items_total: Type.Integer(),
    items_submitted: Type.Integer(),
    last_apply_error: anyJson('Why the last apply failed, or null.'),
    applied_at: nullable(time('')),
    completed_at: nullable(time('')),
    last_transitioned_at: time(''),
    created_at: time(''),
    updated_at: time(''),
    digest: Type.Optional(nullable(Type.String({ description: 'sha256 of exactly what would be applied; approve names it.' }))),
    items: Type.Optional(Type.Array(ItemShape)),
    items_omitted: Type.Optional(Type.Integer({ description: 'Items beyond those shown; GET /items?order=… lists them all.' })),
    events: Type.Optional(Type.Array(EventShape)),
    items_count: Type.Optional(Type.Integer()),
    items_exists: Type.Optional(Type.Boolean()),
    events_count: Type.Optional(Type.Integer()),
    events_exists: Type.Optional(Type.Boolean()),
  },
  { title: 'Order' },
)

export const PartShape = Type.Object(
  {
    id: uuid('Part id.'),
    part_key: Type.String(),
    seq: nullable(Type.Integer()),
    revision: Type.Integer(),
    status: Type.Enum(partStatuses),
    payload: anyJson(''),
    evidence: anyJson(''),
    notes: nullable(Type.String()),
    errors: anyJson(''),
    checksum: Type.String({ description: 'sha256 of the canonical payload, hex.' }),
    submitted_by_agent_id: Type.String(),
    created_at: time(''),
  },
  { title: 'Part' },
)

export const ProblemShape = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String(),
    detail: Type.String(),
    fix: Type.String(),
    retry: Type.Enum(['never', 'after_refresh', 'later']),
    request_id: Type.String(),
    message: Type.String(),
    error: Type.Object({ code: Type.String(), message: Type.String() }, { additionalProperties: true }),
    errors: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: true, title: 'Problem' },
)
