/** The guides say what is so: their snippets compile, run, and do on a real server what the text around them promises. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import echoType from '../../../examples/order-types/echo.ts'
import { guides } from '../src/doors/http/docs-routes.ts'
import { loadOrderTypes } from '../src/work/order-types/load-order-types.ts'
import { asFiles, readDocument, root, SnippetFolder, snippetsOf } from './doc-snippets.ts'
import { runCli } from './run-cli.ts'
import { startStory, type Story, whileApplying } from './story.ts'

let folder: SnippetFolder
let story: Story
beforeAll(async () => {
  folder = new SnippetFolder()
  folder.write(asFiles(snippetsOf('docs/order-types.md', 'ts')))
  const { types } = await loadOrderTypes(path.join(folder.path, 'order-types'))
  story = await startStory({ types: [echoType, ...types] })
})
afterAll(async () => {
  await story.server.stop()
  folder.remove()
})

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ code: number | null; said: string }> {
  const child = spawn(command, args, { cwd: folder.path, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })))
}

/** The key that the command beside `KEY=` makes, typed by a person of this server: never one with more abilities than readers get. */
async function documentedKey(code: string): Promise<string> {
  const command = /KEY=\S+\s+# npx work-manager (keys create .*)/.exec(code)?.[1]
  expect(command, 'the command that makes the key stands beside it').toBeDefined()
  const env = { WORK_MANAGER_URL: story.server.url, WORK_MANAGER_KEY: story.reviewer.key }
  const made = await runCli(['--json', ...command!.split(' ')], { cwd: folder.path, env })
  expect(made.code, made.stderr).toBe(0)
  return (JSON.parse(made.stdout) as { key: string }).key
}

/** Commands against the test's server: the address in them is an example, the key is made by the command that they name. */
async function shell(file: string): Promise<{ script: string; key: string }> {
  const [script, ...others] = snippetsOf(file, 'sh').filter(({ info }) => info === 'run')
  expect(others, file).toEqual([])
  const key = await documentedKey(script!.code)
  return { script: script!.code.replace('http://127.0.0.1:7420', story.server.url).replace(/KEY=\S+/, `KEY=${key}`), key }
}

describe('docs/order-types.md', () => {
  it('has snippets that compile', () => {
    expect(folder.compile(asFiles(snippetsOf('docs/order-types.md', 'ts')))).toBe('')
  })

  it('has files that load as a directory of order types', async () => {
    const { types, generators } = await loadOrderTypes(path.join(folder.path, 'order-types'))
    expect(types.map(({ type }) => type)).toEqual(['book.write', 'price.update', 'user.invite'])
    expect(generators.map(({ name }) => name)).toEqual(['nightly.prices'])
    const at = new Date('2026-01-05T03:00:00Z')
    expect(await generators[0]!.generate({ tenant: 'acme', now: at, signal: AbortSignal.abort() })).toMatchObject([
      { key: 'prices-2026-01-05' },
    ])
  })

  it('has a test that passes', async () => {
    const { code, said } = await run(process.execPath, ['--test', 'order-types/price-update.test.ts'])
    expect(code, said).toBe(0)
  })

  it('has a type that a server applies', async () => {
    const order = await story.propose({ skus: ['A-1'] }, { type: 'price.update' })
    const item = await story.take(order.id)
    const price = { price: 3, currency: 'EUR' }
    expect((await story.submit(item, price)).body.error_list).toMatchObject([{ code: 'source_missing' }])
    const body = { lease_token: item.lease_token, result: price, evidence: [{ url: 'https://example.com/a-1', quote: '3.00 EUR' }] }
    expect((await story.agent.post(`/items/${item.id}/submit`, body)).status).toBe(202)
    const approved = await whileApplying(story.server, story.reviewer.post(`/orders/${order.id}/approve`))
    expect(approved.body.diff).toMatchObject({ before: { 'A-1': null }, after: { 'A-1': price }, summary: '1 prices updated' })
    expect((await story.reviewer.get('/records/prices')).body.data).toMatchObject([{ key: 'A-1', value: price }])
  })

  it('has a type whose parts are assembled', async () => {
    const order = await story.propose({ chapters: ['one'] }, { type: 'book.write' })
    const item = await story.take(order.id)
    const part = { lease_token: item.lease_token, part_key: 'one', payload: { text: 'Once upon a time there was work.' } }
    expect((await story.agent.post(`/items/${item.id}/parts`, part)).status).toBe(202)
    const done = await story.agent.post(`/items/${item.id}/finalize`, { lease_token: item.lease_token })
    expect(done.body.item.assembled_result.words).toBe(7)
  })
})

describe('docs/http-api.md and the README', () => {
  it('have commands that run as they stand', async () => {
    for (const file of ['docs/http-api.md', 'README.md']) {
      await story.propose({ messages: ['hello'] }, { type: 'example.echo' })
      const { script, key } = await shell(file)
      const { code, said } = await run('bash', ['-euo', 'pipefail', '-c', script])
      expect(code, `${file}: ${said}`).toBe(0)
      expect(said).not.toContain(key)
    }
  })

  it('have snippets that compile', () => {
    const files = snippetsOf('README.md', 'ts').map(({ code }, index) => [`readme-${index}.ts`, code] as const)
    expect(files.length).toBeGreaterThan(1)
    expect(folder.compile(Object.fromEntries(files))).toBe('')
  })
})

describe('the documents together', () => {
  const documents = readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md'))

  it('are served, each of them', () => {
    expect([...guides].toSorted()).toEqual(documents.toSorted())
  })

  it('lead nowhere in vain', () => {
    const anchors = new Map<string, Set<string>>()
    const anchorsOf = (file: string): Set<string> => {
      const text = readDocument(file)
      const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
        heading!
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-'),
      )
      return new Set([...headings, ...[...text.matchAll(/<a id="(\w+)">/g)].map(([, id]) => id!)])
    }
    const present = new Set(readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => !name.includes('node_modules')))
    for (const file of ['README.md', 'ARCHITECTURE.md', ...documents.map((name) => `docs/${name}`)]) {
      for (const [, target] of readDocument(file).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue
        const [name, anchor] = target!.split('#') as [string, string?]
        const aim = name === '' ? file : path.posix.normalize(path.posix.join(path.posix.dirname(file), name)).replace(/\/$/, '')
        expect(present.has(aim), `${file} → ${target}`).toBe(true)
        if (anchor === undefined || !aim.endsWith('.md')) continue
        if (!anchors.has(aim)) anchors.set(aim, anchorsOf(aim))
        expect(anchors.get(aim)!.has(anchor), `${file} → ${target}`).toBe(true)
      }
    }
  })

  it('names only proofs that exist', () => {
    const proofs = [...readDocument('README.md').matchAll(/\| \[[^\]]+\.test\.ts\]\(([^)]+)\) \|/g)].map((found) =>
      path.join(root, found[1]!),
    )
    expect(proofs.length).toBeGreaterThan(5)
    for (const proof of proofs) {
      const exists = proof.endsWith('.test.ts') ? existsSync(proof) : readdirSync(proof).some((name) => name.endsWith('.test.ts'))
      expect(exists, proof).toBe(true)
    }
  })

  it('llms.txt has the form that llmstxt.org asks for, and links that the server answers', async () => {
    const text = readDocument('docs/llms.txt')
    expect(text).toMatch(/^# .+\n\n> .+\n\n[^#]*(## .+\n\n(- \[.+\]\(.+\): .+\n)+\n?)+$/)
    for (const [, target] of text.matchAll(/\]\((\S+)\)/g)) expect((await fetch(`${story.server.url}${target}`)).status, target).toBe(200)
  })
})
