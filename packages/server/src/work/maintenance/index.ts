import { defineNoun } from '../tools.ts'
import { runMaintenance } from './run-maintenance.ts'

export const maintenance = defineNoun({
  name: 'maintenance',
  operations: [runMaintenance],
})
