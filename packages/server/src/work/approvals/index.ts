import { defineNoun } from '../tools.ts'
import { approveOrder } from './approve-order.ts'
import { autoApprover } from './auto-approver.ts'
import { rejectOrder } from './reject-order.ts'
import { shownOrderPruner } from './shown-order-pruner.ts'

export const approvals = defineNoun({
  name: 'approvals',
  operations: [approveOrder, rejectOrder],
  services: {
    'auto-approver': autoApprover,
    'shown-order-pruner': shownOrderPruner,
  },
})
