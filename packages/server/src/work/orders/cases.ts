import { defineCases } from '../../../testing/cases.ts'
import {
  applyShown,
  fail,
  orderOf,
  propose,
  proposeShown,
  rejectShown,
  shownOrder,
  submit,
  submitShown,
} from '../../../testing/work-calls.ts'

const nobody = '01890a5d-ac96-774b-bcce-b302099a8057'

export const cases = defineCases({
  propose_order: { by: 'service', sample: async () => shownOrder },
  simulate_order: { by: 'service', sample: async () => shownOrder },
  plan_order: {
    by: 'service',
    call: async (side) => ({ order: await propose(side, { defer_planning: true }) }),
    sample: async (side) => ({ order: await proposeShown(side, { defer_planning: true }) }),
  },
  list_orders: {
    call: async () => ({ include: 'items,events,effects', limit: 100 }),
    async pages(side) {
      await propose(side)
      await propose(side)
      return { cursor: 'start' }
    },
    search: ({ mark }, input) => [
      { member: 'id', value: String(input('get_order').order), absent: nobody },
      { member: 'filter[id]', value: String(input('get_order').order), absent: nobody },
      { member: 'filter[meta]', value: `label:${mark}`, absent: 'label:never-was-that' },
    ],
    async sample(side) {
      await applyShown(side)
      return { 'filter[state]': 'completed', sort: '-created_at', 'page[size]': 10 }
    },
  },
  get_order: { call: (side) => orderOf(submit(side)), sample: (side) => orderOf(submitShown(side)) },
  explain_order: { call: (side) => orderOf(submit(side)), sample: (side) => orderOf(submitShown(side)) },
  get_order_logs: {
    call: (side) => orderOf(submit(side)),
    pages: (side) => orderOf(submit(side)),
    sample: async (side) => ({ ...(await orderOf(applyShown(side))), limit: 1 }),
  },
  get_order_timeline: {
    call: (side) => orderOf(submit(side)),
    pages: async (side) => {
      const made = await orderOf(submit(side))
      await side.server.run('sequencer')
      return made
    },
    sample: async (side) => ({ ...(await orderOf(applyShown(side))), limit: 1 }),
  },
  cancel_order: {
    by: 'service',
    call: async (side) => ({ order: await propose(side), reason: side.mark }),
    sample: async (side) => ({ order: await proposeShown(side), reason: 'No longer needed.' }),
  },
  requeue_order: {
    call: async (side) => ({ ...(await orderOf(fail(side))), reason: side.mark }),
    sample: async (side) => ({ order: await rejectShown(side), reason: 'We want it after all.' }),
  },
})
