import { defineNoun } from '../tools.ts'
import { listOrderTypes } from './list-order-types.ts'

export const orderTypes = defineNoun({
  name: 'order-types',
  operations: [listOrderTypes],
})
