/**
 * Which room may import which. The order of the table is the direction of the arrows in ARCHITECTURE.md: a room may import only
 * what its line names, and itself. Tests and packages/server/testing may import anything.
 */
const below = ['redis', 'metrics', 'tracing']
const beside = ['order-types', 'ledger', 'leases', 'signals', 'cache', 'rate-limits', 'auth', ...below]

/** Room of packages/server/src → rooms it may import. `contract` is the package of that name. */
export const serverRooms = {
  config: ['contract'],
  log: ['contract', 'config'],
  embedded: [],
  domain: ['contract'],
  store: ['contract', 'domain'],
  ...Object.fromEntries(beside.map((room) => [room, ['contract', 'domain', 'store', ...below]])),
  redis: ['contract'],
  metrics: ['contract'],
  tracing: ['contract'],
  'hot-path': ['contract', 'domain', 'store', ...beside],
  operations: ['contract', 'config', 'domain', 'store', ...beside, 'hot-path'],
  background: ['contract', 'config', 'domain', 'store', ...beside, 'hot-path', 'operations'],
  'doors/http': ['contract', 'config', 'domain', 'log', ...beside, 'operations'],
  'doors/mcp': ['contract', 'config', 'domain', 'log', ...beside, 'operations'],
  'doors/realtime': ['contract', 'config', 'domain', ...beside, 'operations'],
  'doors/graphql': ['contract', 'config', 'domain', ...beside, 'operations'],
  // What main.ts wires with: everything below the command line.
  composition: [
    'contract',
    'config',
    'domain',
    'embedded',
    'store',
    ...beside,
    'hot-path',
    'operations',
    'background',
    'doors/http',
    'doors/mcp',
  ],
  // The demo speaks HTTP only; it knows the shipped order types as any agent's author would.
  demo: ['contract', 'order-types'],
  'doors/cli': ['contract', 'config', 'domain', ...beside, 'operations', 'main.ts', 'demo'],
}

/** Folder of packages/contract/src → folders of it that it may import. What defines and merges knows no noun. */
const contractFolders = {
  kernel: [],
  access: ['kernel'],
  ledger: ['kernel'],
  housekeeping: ['kernel'],
  work: ['kernel', 'access', 'ledger'],
}

/** Package → packages of this workspace it may import. */
const packages = {
  contract: [],
  sdk: ['contract'],
  admin: ['contract', 'sdk'],
  server: ['contract'],
}

const src = 'packages/server/src'
const tests = String.raw`\.test\.ts$`
const escaped = (text) => text.replaceAll('.', String.raw`\.`)

function pathOf(room) {
  if (room === 'contract') return '^packages/contract/'
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
      name: 'only the doors import each other through main',
      severity: 'error',
      from: { path: `^${src}/(main|index)\\.ts$` },
      to: { path: `^${src}/doors/cli/` },
    },
    {
      name: 'domain does no I/O',
      severity: 'error',
      from: { path: pathOf('domain'), pathNot: tests },
      to: {
        dependencyTypes: ['core'],
        path: '^(node:)?(fs|net|tls|http|https|http2|dgram|dns|child_process|cluster|worker_threads|timers|os|process|readline)(/|$)',
      },
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
    exclude: { path: '(^|/)dist/' },
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
