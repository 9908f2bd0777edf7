/** Everything that Work Manager can do: the product's table of contents. A system is a line here; a noun is a line in its system. */
import { access } from './access/index.ts'
import { housekeeping } from './housekeeping/index.ts'
import { operationsOf, servicesOf, type System } from './kernel/system.ts'
import { ledger } from './ledger/index.ts'
import type { LedgerTools } from './ledger/tools.ts'
import { work } from './work/index.ts'
import type { WorkTools } from './work/tools.ts'

/** What the systems need, in one object: each sees its own part. */
export type Tools = LedgerTools & WorkTools

/** In the order of the references. A new system goes to the end, so that they do not move. */
export const systems: ReadonlyArray<System<Tools>> = [work, ledger, access, housekeeping]

export const operations = operationsOf(systems)
/** The background services by name, to be made with tools and configuration. */
export const services = servicesOf(systems)
