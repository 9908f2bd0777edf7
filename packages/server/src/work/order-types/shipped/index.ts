/** The order types that come with the server. Adding one is a file here and a line below. */
import { cityTierGeneration } from './city-tier-generation.ts'
import { contentFactCheck } from './content-fact-check.ts'
import { customerResearch } from './customer-research.ts'
import { databaseRecordInsert } from './database-record-insert.ts'
import { dependencyLicenseAudit } from './license-audit/dependency-license-audit.ts'
import { userDataSync } from './user-data-sync.ts'

export { findLicense, type LicenseEvidence } from './license-audit/license-evidence.ts'

/** In no particular order; the registry sorts by name. */
export const shippedOrderTypes = [
  cityTierGeneration,
  contentFactCheck,
  customerResearch,
  databaseRecordInsert,
  dependencyLicenseAudit,
  userDataSync,
]
