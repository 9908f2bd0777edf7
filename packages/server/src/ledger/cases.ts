import { defineCases, done } from '../../testing/cases.ts'
import { applyShown, fail, submit, submitShown } from '../../testing/work-calls.ts'

export const cases = defineCases({
  list_events: {
    async pages(side) {
      await submit(side)
      return {}
    },
    search: ({ mark }) => [{ member: 'principal', value: `person:rita-${mark}`, absent: 'person:never-was-that' }],
    async sample(side) {
      await submitShown(side)
      await side.server.run('sequencer')
      return { kind: 'item.submitted', limit: 1 }
    },
  },
  list_provenance: {
    search: ({ mark }) => [{ member: 'agent_id', value: `rita-${mark}`, absent: 'never-was-that' }],
    async call(side) {
      const { order } = await submit(side)
      const { events } = done(await side.agent.get(`/orders/${order}/logs`)).body
      return { id: events.find((event: { provenance_id: string | null }) => event.provenance_id).provenance_id }
    },
    async sample(side) {
      await submitShown(side)
      return { agent_id: 'agent-1' }
    },
  },
  list_failure_patterns: {
    async call(side) {
      await fail(side)
      await side.server.run('sequencer')
      return {}
    },
    async sample(side) {
      await fail(side)
      await side.server.run('sequencer')
      return { limit: 1 }
    },
  },
  export_ledger: {
    async sample(side) {
      await applyShown(side)
      return { after: 0, limit: 1 }
    },
  },
  verify_ledger: {
    async sample(side) {
      await applyShown(side)
      return { limit: 3 }
    },
  },
})
