/**
 * Checks the import rules of .dependency-cruiser.mjs. Besides its verdict this makes sure that something was looked at at all
 * (without a TypeScript it understands, the tool reports success over zero modules) and that no room stands outside the rules.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { cruise } from 'dependency-cruiser'
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config'
import configuration, { serverRooms } from '../.dependency-cruiser.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const folders = ['packages', 'scripts', 'bench', 'examples', 'prove'].filter((folder) => existsSync(folder))
const { output } = await cruise(
  folders,
  { ...configuration.options, validate: true, ruleSet: { forbidden: configuration.forbidden } },
  configuration.options.enhancedResolveOptions,
  { tsConfig: extractTSConfig(configuration.options.tsConfig.fileName) },
)

const problems = output.summary.violations.map(({ rule, from, to, cycle }) => {
  const way = cycle === undefined ? to : cycle.map((step) => step.name ?? step).join(' -> ')
  return `${from} -> ${way}\n    rule: ${rule.name}`
})

const sources = output.modules.map((module) => module.source).filter((source) => /^packages\/.*\.ts$/.test(source))
if (sources.length === 0) {
  problems.push('No TypeScript module of packages/ was looked at: the package "typescript" must be present in version 6 or lower.')
}
for (const source of sources) {
  const [, room] = /^packages\/server\/src\/((?:doors\/)?[^/]+)\/.+/.exec(source) ?? []
  if (room !== undefined && !Object.hasOwn(serverRooms, room)) {
    problems.push(`${source}: the room "${room}" has no line in .dependency-cruiser.mjs; add one that says what it may import.`)
  }
}

for (const problem of problems) console.log(problem)
console.log(`${output.summary.totalCruised} modules, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
