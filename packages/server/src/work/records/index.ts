import { defineNoun } from '../tools.ts'
import { listRecords } from './list-records.ts'

export const records = defineNoun({
  name: 'records',
  operations: [listRecords],
})
