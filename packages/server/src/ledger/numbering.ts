/** The sequencer as a background service. */
import type { ServiceDefinition } from '../kernel/service.ts'
import type { LedgerTools } from './tools.ts'
import { topics } from './topics.ts'

export const numbering = ({ record }: LedgerTools): ServiceDefinition => ({
  name: 'sequencer',
  everyMs: 50,
  wakeOn: [topics.events],
  run: record.run,
})
