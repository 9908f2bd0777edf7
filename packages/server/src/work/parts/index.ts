import { defineNoun } from '../tools.ts'
import { finalizeItem } from './finalize-item.ts'
import { listParts } from './list-parts.ts'
import { submitPart } from './submit-part.ts'

export const parts = defineNoun({
  name: 'parts',
  operations: [submitPart, listParts, finalizeItem],
})
