import { defineNoun } from '../tools.ts'
import { applier } from './applier.ts'

export const applying = defineNoun({
  name: 'applying',
  services: {
    applier: (tools) => applier(tools),
  },
})
