import { expect } from 'vitest'
import { describeVerb } from '../../../testing/describe-verb.ts'
import { listRecords } from './list-records.ts'

describeVerb(listRecords, {
  succeeds: ({ body }) => {
    expect(new Set(body.data.map((row: { collection: string }) => row.collection))).toEqual(new Set(['echo']))
  },
})
