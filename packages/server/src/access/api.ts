/** What other systems may ask about keys. */
export { findOneHand } from './store.ts'
