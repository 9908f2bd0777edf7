import { defineNoun } from '../tools.ts'
import { getStatus } from './get-status.ts'

export const status = defineNoun({
  name: 'status',
  operations: [getStatus],
})
