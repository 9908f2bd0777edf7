/** What keeps the database tidy. */
import { defineNoun, defineSystem } from '../kernel/system.ts'
import { idempotencyPruner } from './idempotency-pruner.ts'
import { partitionKeeper } from './partition-keeper.ts'
import { purgeIdempotencyKeys } from './purge-idempotency-keys.ts'
import { statisticsKeeper } from './statistics-keeper.ts'

const tidying = defineNoun({
  name: 'housekeeping',
  operations: [purgeIdempotencyKeys],
  services: {
    'idempotency-pruner': idempotencyPruner,
    'partition-keeper': partitionKeeper,
    'statistics-keeper': statisticsKeeper,
  },
})

export const housekeeping = defineSystem({ name: 'housekeeping', nouns: [tidying] })
