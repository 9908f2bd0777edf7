/** Whether what the record speaks of is still that. */
import { defineNoun } from '../tools.ts'
import { recordChecker } from './record-checker.ts'
import { verifyContent } from './verify-content.ts'

export const content = defineNoun({
  name: 'content',
  operations: [verifyContent],
  services: {
    'record-checker': (tools, { maintenance }) =>
      maintenance.self_check_minutes === 0 ? null : recordChecker(tools, maintenance.self_check_minutes * 60),
  },
})
