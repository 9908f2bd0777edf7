/** What people copy works: snippets compile, the first program is the tested example, and the main entry needs no runtime in particular. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asFiles, readDocument as read, SnippetFolder, snippetsOf } from '../../server/testing/doc-snippets.ts'

let folder: SnippetFolder
beforeAll(() => {
  folder = new SnippetFolder()
})
afterAll(() => folder.remove())

describe('the documentation', () => {
  it('begins with the tested example, word for word', () => {
    expect(snippetsOf('docs/sdk.md', 'ts')[0]!.code).toBe(read('examples/agents/echo-agent.ts'))
  })

  it('has snippets that compile', () => {
    const snippets = ['docs/sdk.md', 'packages/sdk/README.md'].flatMap((file) => snippetsOf(file, 'ts'))
    expect(snippets.length).toBeGreaterThan(8)
    expect(folder.compile(asFiles(snippets))).toBe('')
  })

  it('says twenty lines and means it', () => {
    expect(snippetsOf('packages/sdk/README.md', 'ts')[0]!.code.trim().split('\n').length).toBeLessThanOrEqual(20)
    expect(snippetsOf('docs/sdk.md', 'ts')[0]!.code.trim().split('\n').length).toBeLessThanOrEqual(20)
  })
})

describe('the main entry', () => {
  it('compiles with the types of a browser and nothing else', () => {
    const user = `import { createClient, runAgent } from '@work-manager/sdk'\nexport const both = [createClient, runAgent]\n`
    const browser = { types: [], typeRoots: [], lib: ['ES2024', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'] }
    expect(folder.compile({ 'browser.ts': user }, browser)).toBe('')
  })

  it('a result of the wrong kind does not compile', () => {
    const user = `import type { Handler, ErrorCode } from '@work-manager/sdk'\nexport const handler: Handler = () => ({ result: 'text' })\nexport const code: ErrorCode = 'no_such_code'\n`
    const said = folder.compile({ 'wrong.ts': user })
    expect(said).toMatch(/wrong\.ts\(2,/)
    expect(said).toMatch(/wrong\.ts\(3,/)
  })

  it('the package depends on nothing at runtime', () => {
    const manifest = JSON.parse(read('packages/sdk/package.json')) as Record<string, unknown>
    expect([manifest.dependencies, manifest.peerDependencies, manifest.optionalDependencies]).toEqual([undefined, undefined, undefined])
  })
})
