import { defineNoun } from '../tools.ts'
import { generatorRunner } from './generator-runner.ts'
import { runGenerators } from './run-generators.ts'

export const generators = defineNoun({
  name: 'generators',
  operations: [runGenerators],
  services: {
    'generator-runner': generatorRunner,
  },
})
