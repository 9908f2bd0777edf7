/** The server's answers, as the commands read them: the SDK's types. */
export type { Event, Item, Order } from '@work-manager/sdk'
