/** The stdio side as a program: frames in, frames out, words for people on stderr only. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'

const bin = fileURLToPath(new URL('../../../bin/work-manager.mjs', import.meta.url))
let story: Story
beforeAll(async () => {
  story = await startStory()
})
afterAll(() => story.server.stop())

function run(lines: readonly string[], env: Record<string, string>): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [bin, 'mcp'], { env: { PATH: process.env['PATH'] ?? '', ...env }, stdio: 'pipe' })
  const ended = { code: null as number | null, stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (ended.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (ended.stderr += chunk.toString()))
  child.stdin.end(lines.map((line) => `${line}\n`).join(''))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...ended, code }))
  })
}
const frames = (stdout: string) =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
const list = '{"jsonrpc":"2.0","id":7,"method":"tools/list"}'
const here = () => ({ WORK_MANAGER_URL: story.server.url, WORK_MANAGER_KEY: story.agent.key })

describe('work-manager mcp', () => {
  it('answers what was asked before the client closed its end, and ends', async () => {
    const { code, stdout, stderr } = await run([list], here())
    expect([code, stderr]).toEqual([0, ''])
    expect(frames(stdout)).toMatchObject([{ id: 7, result: { tools: expect.any(Array) } }])
  })

  it('tells a person who types, on stderr and once', async () => {
    const { code, stdout, stderr } = await run(['hello', 'is anybody there?', ''], here())
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toMatch(
      /^This is an MCP server: a client starts it and talks JSON to it\. To connect one, run `.*work-manager\S* mcp install --client claude-code`\.\n$/,
    )
  })

  it('answers broken frames as JSON-RPC does', async () => {
    const { stdout } = await run(['{"jsonrpc":', `[${list}]`, '{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}'], here())
    expect(
      frames(stdout)
        .map((frame) => String(frame.error.code))
        .toSorted(),
    ).toEqual(['-32600', '-32600', '-32700'])
  })

  it('passes a refusal of the server on, and never shows the key', async () => {
    const wrong = 'wm_not_a_key'
    const { stdout, stderr } = await run([list], { WORK_MANAGER_URL: story.server.url, WORK_MANAGER_KEY: wrong })
    expect(frames(stdout)).toMatchObject([{ id: 7, error: { code: -32000, data: { code: 'auth_malformed', status: 401 } } }])
    expect(stdout + stderr).not.toContain(wrong)
  })

  it('says which server does not answer', async () => {
    const { stdout, stderr } = await run([list], { WORK_MANAGER_URL: 'http://127.0.0.1:9', WORK_MANAGER_KEY: story.agent.key })
    expect(frames(stdout)[0].error.message).toMatch(/127\.0\.0\.1:9\/mcp does not answer .*WORK_MANAGER_URL/)
    expect(stderr).toContain('does not answer')
  })

  it('never takes the local person’s key for an agent’s', async () => {
    const { code, stdout, stderr } = await run([list], { WORK_MANAGER_URL: story.server.url })
    expect([code, stdout]).toEqual([4, ''])
    expect(stderr).toContain('An agent needs a key of its own')
  })

  it('ends a request that the client cancels', async () => {
    const checkout = JSON.stringify({
      jsonrpc: '2.0',
      id: 'slow',
      method: 'tools/call',
      params: { name: 'work_checkout', arguments: { type: 'test.echo', wait: 30 } },
    })
    const cancel = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'slow' } })
    const { code, stdout } = await run([checkout, cancel], here())
    expect([code, stdout]).toEqual([0, ''])
  })
})
