/** What makes a directory of order types a project: its editor finds the types, its scripts the program. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ScaffoldFile } from './scaffolds.ts'

export const workspaceConfig = (directory: string): string => json({ order_types: { directories: [directory] } })

/** `command`: how the program is called in that directory. */
export function workspaceFiles(directory: string, command: string): ScaffoldFile[] {
  return [
    { name: 'package.json', text: packageJson(directory, command) },
    { name: 'tsconfig.json', text: tsconfig(directory) },
    { name: 'README.md', text: readme(command) },
  ]
}

function packageJson(directory: string, command: string): string {
  const name = path
    .basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  return json({
    name: name === '' ? 'order-types' : name,
    version: '0.0.0',
    private: true,
    type: 'module',
    scripts: { serve: `${command} serve`, test: `${command} test` },
  })
}

/** What order types import, and where it lies beside this file: the source in the repository, compiled in a published package. */
const entries = {
  '@work-manager/server': ['../index', '@work-manager/server'],
  '@work-manager/server/order-type': ['../work/order-types/author', '@work-manager/server'],
  '@work-manager/server/testing': ['../../testing/index', '@work-manager/server'],
} as const

function tsconfig(directory: string): string {
  const own = createRequire(path.join(directory, 'package.json'))
  const has = (name: string): boolean => own.resolve.paths(name)?.some((folder) => existsSync(path.join(folder, name))) ?? false
  const paths: Record<string, string[]> = {}
  for (const [name, [file, owner]] of Object.entries(entries)) {
    if (has(owner)) continue
    const source = fileURLToPath(new URL(`${file}.ts`, import.meta.url))
    paths[name] = [existsSync(source) ? source : source.replace(/\.ts$/, '.d.ts')]
  }
  for (const name of ['typebox', 'zod']) if (!has(name)) Object.assign(paths, declarationsOf(name))
  const nodeTypes = has('@types/node') ? undefined : folderOf('@types/node')
  return json({
    compilerOptions: {
      target: 'ES2024',
      lib: ['ES2024', 'ESNext.Disposable'],
      module: 'NodeNext',
      moduleResolution: 'NodeNext',
      strict: true,
      noEmit: true,
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
      allowImportingTsExtensions: true,
      resolveJsonModule: true,
      skipLibCheck: true,
      types: ['node'],
      ...(nodeTypes === undefined ? {} : { typeRoots: [path.dirname(nodeTypes)] }),
      ...(Object.keys(paths).length === 0 ? {} : { paths }),
    },
    include: ['order-types', 'work-manager.config.ts'],
  })
}

/** Where a package lies that this program can use. */
function folderOf(name: string): string | undefined {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? []
  return folders.map((folder) => path.join(folder, name)).find((folder) => existsSync(folder))
}

/** Each entry of a package that this program can use, and the file that declares it. */
function declarationsOf(name: string): Record<string, string[]> {
  const folder = folderOf(name)
  if (folder === undefined) return {}
  const { exports } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { import?: string; types?: string }>
  }
  const found: Record<string, string[]> = {}
  for (const [entry, target] of Object.entries(exports)) {
    const file = typeof target === 'string' ? target : (target.types ?? target.import)
    if (file === undefined || entry.includes('*') || !/\.[cm]?[jt]s$/.test(file)) continue
    const declared = path.join(folder, file.replace(/\.([cm]?)js$/, '.d.$1ts'))
    found[path.posix.join(name, entry)] = [declared]
  }
  return found
}

const readme = (command: string): string => `# Order types

Each file in \`order-types/\` is a kind of work: what may be asked for, how it is split into items,
what a good result is, and what an approved order changes.

\`\`\`sh
${command === 'work-manager' ? '' : `alias work-manager='${command}'\n`}work-manager make order-type LicenceAudit --with-tests    # one to begin with, and its test
work-manager test                                         # the tests, without a server
work-manager serve                                        # a server that knows them, on an embedded PostgreSQL in ./.work-manager
\`\`\`

In another terminal, here:

\`\`\`sh
work-manager types list                                   # what the server knows
work-manager keys create --kind agent --principal scribe  # a key for an agent
work-manager orders propose licence.audit --payload '{"subjects":["x"]}'
work-manager orders                                       # what waits for whom
\`\`\`

\`import\` finds \`@work-manager/server\`, \`typebox\` and \`zod\` without an installation here: they are the
program's own. To choose versions yourself, install them here. The paths in \`tsconfig.json\` are those
of this machine and only help the editor; \`make workspace\` writes the file again where it is missing.
`

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
