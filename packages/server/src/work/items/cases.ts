import { defineCases } from '../../../testing/cases.ts'
import {
  applyShown,
  echo,
  evidence,
  fail,
  failure,
  handInShown,
  heldItem,
  itemOf,
  lease,
  orderOf,
  proposeShown,
  submit,
  submitShown,
  takeShown,
} from '../../../testing/work-calls.ts'

export const cases = defineCases({
  submit_item: {
    by: 'agent',
    call: async (side) => ({ ...(await heldItem(lease(side))), ...echo(side) }),
    sample: async (side) => ({ ...(await heldItem(takeShown(side))), result: { echoed: 'hello' }, evidence }),
  },
  release_item: { by: 'agent', call: (side) => heldItem(lease(side)), sample: (side) => heldItem(takeShown(side)) },
  fail_item: {
    by: 'agent',
    call: async (side) => ({ ...(await heldItem(lease(side))), ...failure }),
    sample: async (side) => ({
      ...(await heldItem(takeShown(side))),
      class: 'permanent',
      error: { code: 'source_gone', message: 'The source is gone.' },
    }),
  },
  list_items: {
    call: (side) => orderOf(submit(side)),
    async pages(side) {
      await submit(side)
      await submit(side)
      return {}
    },
    async sample(side) {
      const { order } = await submitShown(side)
      return { order, limit: 1 }
    },
  },
  get_item: {
    call: (side) => itemOf(submit(side)),
    sample: async (side) => itemOf(handInShown(side, await proposeShown(side), 'hello')),
  },
  get_item_logs: {
    call: (side) => itemOf(submit(side)),
    pages: (side) => itemOf(submit(side)),
    sample: async (side) => ({ ...(await itemOf(applyShown(side))), limit: 1 }),
  },
  requeue_item: {
    call: async (side) => ({ ...(await itemOf(fail(side))), reason: side.mark }),
    async sample(side) {
      const held = await fail(side)
      await side.server.run('dead-letterer')
      return { item: held.item, reason: 'The source is back.' }
    },
  },
})
