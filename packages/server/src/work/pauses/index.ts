import { defineNoun } from '../tools.ts'
import { listPauses } from './list-pauses.ts'
import { pause } from './pause.ts'
import { resume } from './resume.ts'

export const pauses = defineNoun({
  name: 'pauses',
  operations: [pause, resume, listPauses],
})
