/** For people who write order types: `@work-manager/server/testing`. */
export { type HandIn, type KitOptions, type OrderTypeKit, testOrderType } from './order-type-kit.ts'
