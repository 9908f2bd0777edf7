/** What the services of the ledger wake each other for. */
import { topics as ofKernel } from '../kernel/signals/work-signal.ts'

export const topics = {
  ...ofKernel,
  /** Events have their numbers: the publishers may act, in every process. */
  numbered: 'numbered',
} as const
