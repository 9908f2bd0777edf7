/** The suite, in the order in which it runs: neighbours share a server where they can. */
import type { Scenario } from '../suite.ts'
import { approve } from './approve.ts'
import { directSql } from './direct-sql.ts'
import { heartbeat } from './heartbeat.ts'
import { keepAlive } from './keep-alive.ts'
import { leaseCycle } from './lease-cycle.ts'
import { peers } from './peers.ts'
import { peersHttp } from './peers-http.ts'
import { propose } from './propose.ts'
import { queries } from './queries.ts'
import { types } from './types.ts'
import { workers } from './workers.ts'

export const scenarios: readonly Scenario[] = [
  propose,
  approve,
  directSql,
  leaseCycle,
  heartbeat,
  keepAlive,
  workers,
  types,
  peers,
  peersHttp,
  queries,
]
