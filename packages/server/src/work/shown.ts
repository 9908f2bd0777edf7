/** What a model usually needs of orders, items and events: ids, states, ages, and what tells it what to do next. */
import type { Shown } from '../kernel/operations/operation.ts'

export const orderShown = {
  id: true,
  type: true,
  state: true,
  priority: true,
  revision: true,
  items_total: true,
  items_submitted: true,
  requested_by_id: true,
  last_apply_error: true,
  digest: true,
  created_at: true,
  age_seconds: true,
  last_transitioned_at: true,
} as const satisfies Shown

export const itemShown = {
  id: true,
  order_id: true,
  ordinal: true,
  state: true,
  attempts: true,
  max_attempts: true,
  leased_by_agent_id: true,
  lease_expires_at: true,
  error: true,
  rework: true,
  available_at: true,
} as const satisfies Shown

export const eventShown = {
  seq: true,
  kind: true,
  item_id: true,
  actor_type: true,
  actor_id: true,
  message: true,
  payload: true,
  created_at: true,
} as const satisfies Shown
