/** The suite, in the order in which it runs: neighbours share a server where they can. */
import type { Scenario } from '../suite.ts'
import { approve } from './approve.ts'
import { directSql } from './direct-sql.ts'
import { depth } from './depth.ts'
import { heartbeat } from './heartbeat.ts'
import { heldSnapshot } from './held-snapshot.ts'
import { keepAlive } from './keep-alive.ts'
import { leaseCycle } from './lease-cycle.ts'
import { peers } from './peers.ts'
import { peersHttp } from './peers-http.ts'
import { propose } from './propose.ts'
import { queries } from './queries.ts'
import { tenants } from './tenants.ts'
import { types } from './types.ts'
import { workers } from './workers.ts'

export const scenarios: readonly Scenario[] = [
  peersHttp,
  propose,
  approve,
  directSql,
  leaseCycle,
  heartbeat,
  tenants,
  heldSnapshot,
  keepAlive,
  workers,
  types,
  depth,
  peers,
  queries,
]
