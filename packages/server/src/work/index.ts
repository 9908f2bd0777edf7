/** The work-order system. A new noun is its folder and a line here. */
import { defineSystem } from '../kernel/system.ts'
import type { WorkTools } from './tools.ts'
import { orderTypes } from './order-types/index.ts'
import { orders } from './orders/index.ts'
import { leases } from './leases/index.ts'
import { items } from './items/index.ts'
import { parts } from './parts/index.ts'
import { approvals } from './approvals/index.ts'
import { applying } from './applying/index.ts'
import { effects } from './effects/index.ts'
import { pauses } from './pauses/index.ts'
import { generators } from './generators/index.ts'
import { records } from './records/index.ts'
import { content } from './content/index.ts'
import { status } from './status/index.ts'
import { maintenance } from './maintenance/index.ts'

export const work = defineSystem<WorkTools>({
  name: 'work',
  nouns: [
    orderTypes,
    orders,
    leases,
    items,
    parts,
    approvals,
    applying,
    effects,
    pauses,
    generators,
    records,
    content,
    status,
    maintenance,
  ],
})
