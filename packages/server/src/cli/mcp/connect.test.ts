/** What a person does who never saw the project: one command, and an agent is connected; one more, and it is not. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'

const bin = fileURLToPath(new URL('../../../bin/work-manager.mjs', import.meta.url))
let story: Story
let home: string
beforeAll(async () => {
  story = await startStory()
  home = await mkdtemp(path.join(tmpdir(), 'wm-connect-'))
})
afterAll(async () => {
  await story.server.stop()
  await rm(home, { recursive: true })
})

function cli(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, WORK_MANAGER_URL: story.server.url, WORK_MANAGER_KEY: story.reviewer.key }
  const child = spawn(process.execPath, [bin, ...args], { env, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = { code: null as number | null, stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (ended.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (ended.stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...ended, code }))
  })
}

it('connects Claude Code with a key of its own that cannot decide, and disconnects it', async () => {
  const installed = await cli('mcp', 'install', '--client', 'claude-code', '--agent', 'scribe')
  expect([installed.code, installed.stderr]).toEqual([0, ''])
  const { mcpServers } = JSON.parse(await readFile(path.join(home, '.claude.json'), 'utf8')) as {
    mcpServers: Record<string, { command: string; args: string[] }>
  }
  const { command, args } = mcpServers['work-manager']!
  expect(JSON.stringify(mcpServers) + installed.stdout).not.toContain(story.reviewer.key)

  // Exactly as the client would start it: nothing in the environment.
  const start = async () => {
    const client = new Client({ name: 'claude-code', version: '1' }, { versionNegotiation: { mode: 'auto' } })
    await client.connect(new StdioClientTransport({ command, args, env: {}, stderr: 'pipe' }))
    return client
  }
  const client = await start()
  const names = (await client.listTools()).tools.map((tool) => tool.name)
  expect([names.includes('work_submit'), names.includes('work_approve')]).toEqual([true, false])
  const order = await story.propose()
  await client.callTool({ name: 'work_checkout', arguments: { order_id: order.id } })
  expect((await story.order(order.id)).items[0].leased_by_agent_id).toBe('scribe')
  await client.close()

  const undone = await cli('mcp', 'install', '--client', 'claude-code', '--undo')
  expect([undone.code, undone.stderr]).toEqual([0, ''])
  const { body } = await story.reviewer.get('/keys')
  expect(body.keys.find((key: { principal_id: string }) => key.principal_id === 'scribe').revoked_at).not.toBeNull()
  await expect(readFile(path.join(home, '.claude.json'))).rejects.toThrow()
})

it('says so when the key that was given is a person’s', async () => {
  const { code, stderr } = await cli('mcp', 'install', '--client', 'cursor', '--key', story.reviewer.key)
  expect(code).toBe(0)
  expect(stderr).toContain('this is a person’s key')
  expect(stderr).not.toContain(story.reviewer.key)
})
