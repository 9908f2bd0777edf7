/** What people copy works: snippets compile, the first program is the tested example, and the main entry needs no runtime in particular. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')
const snippetsOf = (file: string): string[] => [...read(file).matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code!)

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sdk-snippets-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What the compiler says about these files, together, as somebody who installed the package would hear it. */
function compile(files: Readonly<Record<string, string>>, options: object): string {
  for (const [name, code] of Object.entries(files)) writeFileSync(path.join(folder, name), code)
  const source = path.join(root, 'packages/sdk/src')
  const config = {
    extends: path.join(root, 'tsconfig.json'),
    compilerOptions: {
      typeRoots: [path.join(root, 'node_modules/@types')],
      paths: { '@work-manager/sdk': [`${source}/index.ts`], '@work-manager/sdk/node': [`${source}/node.ts`] },
      ...options,
    },
    include: Object.keys(files),
    exclude: [],
  }
  const project = path.join(folder, 'tsconfig.json')
  writeFileSync(project, JSON.stringify(config))
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}')
  return spawnSync(process.execPath, [path.join(root, 'node_modules/@typescript/native/bin/tsc'), '-p', project], { encoding: 'utf8' })
    .stdout
}

describe('the documentation', () => {
  it('begins with the tested example, word for word', () => {
    expect(snippetsOf('docs/sdk.md')[0]).toBe(read('examples/agents/echo-agent.ts'))
  })

  it('has snippets that compile', () => {
    const snippets = ['docs/sdk.md', 'packages/sdk/README.md'].flatMap((file) => snippetsOf(file))
    expect(snippets.length).toBeGreaterThan(8)
    const files = Object.fromEntries(snippets.map((code, index) => [`snippet-${index}.ts`, code]))
    expect(compile(files, {})).toBe('')
  })

  it('says twenty lines and means it', () => {
    expect(snippetsOf('packages/sdk/README.md')[0]!.trim().split('\n').length).toBeLessThanOrEqual(20)
    expect(snippetsOf('docs/sdk.md')[0]!.trim().split('\n').length).toBeLessThanOrEqual(20)
  })
})

describe('the main entry', () => {
  it('compiles with the types of a browser and nothing else', () => {
    const user = `import { createClient, runAgent } from '@work-manager/sdk'\nexport const both = [createClient, runAgent]\n`
    expect(compile({ 'browser.ts': user }, { types: [], typeRoots: [], lib: ['ES2024', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'] })).toBe(
      '',
    )
  })

  it('a result of the wrong kind does not compile', () => {
    const user = `import type { Handler, ErrorCode } from '@work-manager/sdk'\nexport const handler: Handler = () => ({ result: 'text' })\nexport const code: ErrorCode = 'no_such_code'\n`
    const said = compile({ 'wrong.ts': user }, {})
    expect(said).toMatch(/wrong\.ts\(2,/)
    expect(said).toMatch(/wrong\.ts\(3,/)
  })

  it('the package depends on nothing at runtime', () => {
    const manifest = JSON.parse(read('packages/sdk/package.json')) as Record<string, unknown>
    expect([manifest.dependencies, manifest.peerDependencies, manifest.optionalDependencies]).toEqual([undefined, undefined, undefined])
  })
})
