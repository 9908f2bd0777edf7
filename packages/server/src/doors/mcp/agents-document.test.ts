/** docs/agents.md says what is so: its tables are the tool table and the client table, its commands run as they stand. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'
import { operations } from '../../systems.ts'
import { agentClients, clientNames, type ClientName } from '../../cli/mcp/agent-clients.ts'
import { withEntry } from '../../cli/mcp/config-text.ts'
import { buildTools } from './tools.ts'

const bin = fileURLToPath(new URL('../../../bin/work-manager.mjs', import.meta.url))
const text = await readFile(new URL('../../../../../docs/agents.md', import.meta.url), 'utf8')
const blocks = [...text.matchAll(/^```(\w+)((?: [\w-]+)*)\n([\s\S]*?)^```$/gm)].map(([, language, tags, body]) => ({
  language: language!,
  tags: tags!.trim().split(' '),
  body: body!,
}))
const place = { platform: 'linux' as const, home: '~', env: {}, cwd: '.' }

let story: Story
let home: string
beforeAll(async () => {
  story = await startStory()
  home = await mkdtemp(path.join(tmpdir(), 'wm-agents-doc-'))
})
afterAll(async () => {
  await story.server.stop()
  await rm(home, { recursive: true })
})

it('lists the tools with their routes', () => {
  const rows = [...text.matchAll(/^\| `(work_\w+)` \| .* \| (.*) \|$/gm)].map(([, name, routes]) => [
    name,
    [...routes!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!).toSorted(),
  ])
  const routeOf = (name: string) => {
    const { method, path: route } = operations.find((operation) => operation.name === name)!.http
    return `${method} ${route.replace(/:(\w+)/g, '{$1}')}`
  }
  const table = buildTools(operations).map((tool) => [
    tool.name,
    tool.operations.map(({ operation }) => routeOf(operation.name)).toSorted(),
  ])
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(table))
})

it('names the file of every client', () => {
  for (const client of clientNames) {
    const row = text.split('\n').find((line) => line.includes(`| \`${client}\` |`))!
    expect(row, client).toContain(`\`${agentClients[client].file(place)}\``)
    const project = agentClients[client].projectFile?.(place)
    if (project !== undefined) expect(row, client).toContain(`\`${project}\``)
  }
})

it('shows the entry that each client wants', () => {
  const server = { command: 'work-manager', args: ['--url', 'http://127.0.0.1:7420', '--key-file', '/path/to/agent.key', 'mcp'] }
  const shown = blocks.flatMap((block) => block.tags.filter((tag) => tag !== '').map((tag) => [tag as ClientName, block] as const))
  expect(shown.map(([tag]) => tag).toSorted()).toEqual([...clientNames].toSorted())
  for (const [tag, block] of shown) {
    const client = agentClients[tag]
    const wanted = withEntry(client, '', client.entry(server))
    if (block.language === 'json') expect(JSON.parse(block.body), tag).toEqual(JSON.parse(wanted))
    else expect(block.body, tag).toBe(wanted)
  }
})

it('has commands that run as they stand', async () => {
  await writeFile(path.join(home, 'work-manager'), `#!/bin/sh\nexec "${process.execPath}" "${bin}" "$@"\n`, { mode: 0o755 })
  const script = blocks
    .filter((block) => block.language === 'sh')
    .map((block) => block.body)
    .join('\n')
  const env = {
    PATH: `${home}:${process.env['PATH']}`,
    HOME: home,
    WORK_MANAGER_URL: story.server.url,
    WORK_MANAGER_KEY: story.reviewer.key,
  }
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect(code, said).toBe(0)
  expect(said).not.toContain(story.reviewer.key)
})
