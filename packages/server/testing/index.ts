/** For people who write order types: `@work-manager/server/testing`. */
export { testOrderType } from './order-type-kit.ts'
