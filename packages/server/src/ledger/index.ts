/** The record: read, exported, numbered, published. */
import { defineSystem } from '../kernel/system.ts'
import { cacheInvalidator } from './cache-invalidator.ts'
import { exportLedger } from './export-ledger.ts'
import { listEvents } from './list-events.ts'
import { listFailurePatterns } from './list-failure-patterns.ts'
import { listProvenance } from './list-provenance.ts'
import { numbering } from './numbering.ts'
import { publishers } from './publishers/index.ts'
import { defineNoun, type LedgerTools } from './tools.ts'
import { verifyLedger } from './verify-ledger.ts'

const record = defineNoun({
  name: 'ledger',
  operations: [listEvents, listProvenance, listFailurePatterns, exportLedger, verifyLedger],
  services: { sequencer: numbering, 'cache-invalidator': cacheInvalidator },
})

export const ledger = defineSystem<LedgerTools>({ name: 'ledger', nouns: [record, publishers] })
