/**
 * Which room may import which: DESIGN's arrow chain, from the bottom up. A room may import rooms of lower levels, and itself; rooms of
 * one level do not know each other. Tests and packages/server/testing may import anything.
 */
const levels = [
  ['contract'],
  ['config', 'log', 'redis', 'metrics', 'tracing', 'outgoing', 'embedded', 'addresses'],
  ['cache', 'rate-limits'],
  ['kernel'],
  ['access', 'ledger', 'housekeeping'],
  ['work'],
  ['platform'],
  ['planning'],
  ['systems.ts'],
  ['doors/http', 'doors/mcp', 'doors/live', 'doors/graphql'],
  ['composition'],
  ['main.ts'],
  ['index.ts'],
  ['cli'],
]

/** Room of packages/server/src → rooms it may import. `contract` and `sdk` are the packages of those names. */
export const serverRooms = Object.fromEntries(
  levels.slice(1).flatMap((rooms, below) =>
    // The command line and its demo talk to a server as everybody else does; nothing below them does.
    rooms.map((room) => [room, [...levels.slice(0, below + 1).flat(), ...(room === 'cli' ? ['sdk'] : [])]]),
  ),
)

/** Folder of packages/contract/src → folders of it that it may import. What defines and merges knows no noun. */
const contractFolders = {
  kernel: [],
  access: ['kernel'],
  ledger: ['kernel'],
  housekeeping: ['kernel'],
  work: ['kernel', 'access', 'ledger'],
  platform: ['kernel', 'access', 'ledger', 'work'],
  planning: ['kernel', 'access', 'ledger', 'work', 'platform'],
}

/** Package → packages of this workspace it may import. */
const packages = {
  contract: [],
  sdk: ['contract'],
  admin: ['contract', 'sdk'],
  server: ['contract', 'sdk'],
}

const src = 'packages/server/src'
/** Cases are what tests and references ask of a verb: they stand beside it and are no product code. */
const tests = String.raw`(\.test|/cases)\.ts$`
const escaped = (text) => text.replaceAll('.', String.raw`\.`)

function pathOf(room) {
  if (room === 'contract' || room === 'sdk') return `^packages/${room}/`
  return room.endsWith('.ts') ? `^${src}/${escaped(room)}$` : `^${src}/${room}/`
}

const roomRules = Object.entries(serverRooms).map(([room, mayImport]) => ({
  name: `${room} may import ${mayImport.length === 0 ? 'nothing of ours' : mayImport.join(', ')}`,
  severity: 'error',
  from: { path: pathOf(room), pathNot: tests },
  to: { path: '^packages/', pathNot: ['node_modules', ...[room, ...mayImport].map(pathOf)] },
}))

const packageRules = Object.entries(packages).map(([name, mayImport]) => ({
  name: `package ${name} may import ${mayImport.length === 0 ? 'no other package of ours' : mayImport.join(', ')}`,
  severity: 'error',
  from: { path: `^packages/${name}/`, pathNot: tests },
  to: { path: '^(packages|scripts|bench|examples|prove)/', pathNot: [name, ...mayImport].map((other) => `^packages/${other}/`) },
}))

const contractRules = Object.entries(contractFolders).map(([folder, mayImport]) => ({
  name: `contract/${folder} may import ${mayImport.length === 0 ? 'nothing else of the contract' : mayImport.join(', ')}`,
  severity: 'error',
  from: { path: `^packages/contract/src/${folder}/`, pathNot: tests },
  to: { path: '^packages/', pathNot: ['node_modules', ...[folder, ...mayImport].map((each) => `^packages/contract/src/${each}/`)] },
}))

export default {
  forbidden: [
    ...roomRules,
    ...packageRules,
    ...contractRules,
    {
      name: 'decide*.ts is pure: it imports the contract and its own kind only',
      severity: 'error',
      from: { path: `^${src}/(access|ledger|work|platform|planning)/.*/decide[^/]*\\.ts$`, pathNot: tests },
      to: { pathNot: ['^packages/contract/', '/decide[^/]*\\.ts$', `^${src}/kernel/transitions.ts`] },
    },
    {
      name: 'SQL is written in stores',
      severity: 'error',
      from: {
        path: `^${src}/`,
        pathNot: [tests, '/(store|[^/]+\\.store)\\.ts$', `^${src}/kernel/store/`],
      },
      to: { path: 'node_modules/sql-template-tag/' },
    },
    {
      name: 'a system is known to others by its api.ts',
      severity: 'error',
      from: { path: `^${src}/(platform|planning)/` },
      to: { path: `^${src}/work/`, pathNot: `^${src}/work/api\\.ts$` },
    },
    {
      name: 'product code does not import test code',
      severity: 'error',
      from: { path: `^packages/[^/]+/src/`, pathNot: tests },
      to: { path: [tests, '^packages/server/testing/'] },
    },
    {
      name: 'no cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'every import can be found',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^packages/[^/]+/dist/' },
    // Types count: a room that needs another's types depends on it.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
  },
}
