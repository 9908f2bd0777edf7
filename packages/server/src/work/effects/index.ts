import { defineNoun } from '../tools.ts'
import { effectRunner } from './effect-runner.ts'

export const effects = defineNoun({
  name: 'effects',
  services: {
    'effect-runner': effectRunner,
  },
})
