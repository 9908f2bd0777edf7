/** The server's answers, as the commands read them: the contract's shapes. */
import type { Static } from 'typebox'
import type { DiffShape, EventShape, ItemShape, OrderShape } from '@work-manager/contract'

export type Order = Static<typeof OrderShape>
export type Item = Static<typeof ItemShape>
export type Event = Static<typeof EventShape>
export type Diff = Static<typeof DiffShape>
