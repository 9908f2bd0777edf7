import { defineNoun } from '../tools.ts'
import { deadLetterer } from './dead-letterer.ts'
import { failItem } from './fail-item.ts'
import { getItemLogs } from './get-item-logs.ts'
import { getItem } from './get-item.ts'
import { listItems } from './list-items.ts'
import { releaseItem } from './release-item.ts'
import { requeueItem } from './requeue-item.ts'
import { retryScheduler } from './retry-scheduler.ts'
import { submitItem } from './submit-item.ts'

export const items = defineNoun({
  name: 'items',
  operations: [submitItem, releaseItem, failItem, listItems, getItem, getItemLogs, requeueItem],
  services: {
    'retry-scheduler': retryScheduler,
    'dead-letterer': (tools, { maintenance }) => deadLetterer(tools, maintenance.dead_letter_after_hours),
  },
})
