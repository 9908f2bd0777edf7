import { defineCases, done } from '../../../testing/cases.ts'

const aim = { agent: 'crawler-1', reason: 'It deletes what it should read.' }

export const cases = defineCases({
  pause: { sample: async () => aim },
  list_pauses: {
    async sample({ person }) {
      done(await person.post('/pauses', aim))
      return {}
    },
  },
  resume: {
    async sample({ person }) {
      done(await person.post('/pauses', aim))
      return { agent: aim.agent, reason: 'Its prompt is corrected.' }
    },
  },
})
