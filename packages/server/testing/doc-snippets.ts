/** Snippets of the documentation as files: what people copy is compiled, and what has a file name can be run. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../..', import.meta.url))
export const readDocument = (file: string): string => readFileSync(path.join(root, file), 'utf8')

export interface Snippet {
  readonly language: string
  /** What stands behind the language: a file name, or a word for the test. */
  readonly info: string
  readonly code: string
}

export const snippetsOf = (file: string, language: string): Snippet[] =>
  [...readDocument(file).matchAll(/^```(\w+)[ ]*(.*)\n([^]*?)^```$/gm)]
    .map(([, name, info, code]) => ({ language: name!, info: info!.trim(), code: code! }))
    .filter((snippet) => snippet.language === language)

/** File name → text; snippets without a name of their own get one. */
export const asFiles = (snippets: readonly Snippet[]): Record<string, string> =>
  Object.fromEntries(snippets.map(({ info, code }, index) => [info === '' ? `snippet-${index}.ts` : info, code]))

const sources = {
  '@work-manager/sdk': 'sdk/src/index.ts',
  '@work-manager/sdk/node': 'sdk/src/node.ts',
  '@work-manager/server': 'server/src/index.ts',
  '@work-manager/server/order-type': 'server/src/work/order-types/author.ts',
  '@work-manager/server/testing': 'server/testing/index.ts',
}

/** A folder outside the repository, as somebody who installed the packages has one. */
export class SnippetFolder {
  readonly path: string
  constructor() {
    this.path = mkdtempSync(path.join(tmpdir(), 'doc-snippets-'))
    writeFileSync(path.join(this.path, 'package.json'), '{"type":"module"}')
    symlinkSync(path.join(root, 'node_modules'), path.join(this.path, 'node_modules'), 'dir')
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, code] of Object.entries(files)) {
      const file = path.join(this.path, name)
      mkdirSync(path.dirname(file), { recursive: true })
      writeFileSync(file, code)
    }
  }

  /** What the compiler says about these files, together; nothing when they are right. */
  compile(files: Readonly<Record<string, string>>, options: object = {}): string {
    this.write(files)
    const config = {
      extends: path.join(root, 'tsconfig.json'),
      compilerOptions: {
        typeRoots: [path.join(root, 'node_modules/@types')],
        paths: Object.fromEntries(Object.entries(sources).map(([name, file]) => [name, [path.join(root, 'packages', file)]])),
        ...options,
      },
      include: Object.keys(files),
      exclude: [],
    }
    const project = path.join(this.path, 'tsconfig.json')
    writeFileSync(project, JSON.stringify(config))
    const compiler = path.join(root, 'node_modules/@typescript/native/bin/tsc')
    return spawnSync(process.execPath, [compiler, '-p', project], { encoding: 'utf8' }).stdout
  }

  remove(): void {
    rmSync(this.path, { recursive: true })
  }
}
