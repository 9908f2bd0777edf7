/** What the verbs and services of the ledger may use. */
import { operationsWith } from '../kernel/operations/operation.ts'
import type { Sequencer } from './sequencer.ts'
import { nounsWith } from '../kernel/system.ts'
import type { KernelSettings, KernelTools } from '../kernel/tools.ts'

export interface LedgerSettings extends KernelSettings {
  /** The publishers that are in use. */
  readonly publishers: readonly string[]
}

export interface LedgerTools extends KernelTools {
  readonly settings: LedgerSettings
  readonly record: Sequencer
}

export const defineOperation = operationsWith<LedgerTools>()
export const defineNoun = nounsWith<LedgerTools>()
