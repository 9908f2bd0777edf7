/** The examples do what they say: each runs as a process of its own against a real server, works, and stops when it is asked to. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createClient, type WorkManagerClient } from '@work-manager/sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestServer, until, type TestServer } from '../../packages/server/testing/test-server.ts'
import { python } from '../../packages/sdk/testing/python.ts'
import echo from '../order-types/echo.ts'

const pythonSdk = path.join(import.meta.dirname, '../../sdks/python/src')
let server: TestServer
let client: WorkManagerClient
let base: string

beforeAll(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'example-agents-'))
  // The shipped type reads the files of the server's working directory.
  process.chdir(base)
  server = await startTestServer({ types: [echo] })
  client = createClient({ url: server.url, key: (await server.caller('person', 'ada')).key })
})
afterAll(async () => {
  await server?.stop()
  process.chdir(import.meta.dirname)
  await rm(base, { recursive: true })
})

async function install(name: string, manifest: object): Promise<void> {
  await mkdir(path.join(base, 'node_modules', name), { recursive: true })
  await writeFile(path.join(base, 'node_modules', name, 'package.json'), JSON.stringify({ name, version: '1.0.0', ...manifest }, null, 2))
}

/** Runs the example until the order is ready for approval, then stops it as an operator would. */
async function runUntilSubmitted(file: string, order: string): Promise<string> {
  const { key } = await server.caller('agent', file)
  const command = file.endsWith('.py') ? 'python3' : process.execPath
  const child = spawn(command, [path.join(import.meta.dirname, file)], {
    cwd: base,
    env: { ...process.env, WORK_MANAGER_URL: server.url, WORK_MANAGER_KEY: key, NODE_OPTIONS: '', PYTHONPATH: pythonSdk },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = once(child, 'exit')
  try {
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`${file} ended with ${child.exitCode}:\n${said}`)
        return (await client.getOrder({ order })).order.state === 'submitted'
      },
      `${file} hands everything in`,
      20_000,
    )
  } finally {
    child.kill('SIGTERM')
  }
  expect(await ended, said).toEqual([0, null])
  return said
}

it('echo-agent.ts works on the order type beside it', async () => {
  const { order } = await client.proposeOrder({ type: 'example.echo', payload: { messages: ['one', 'two'] } })
  const said = await runUntilSubmitted('echo-agent.ts', order.id)
  expect(said).toContain('stopped after 2 items')
})

it.skipIf(!python.isThere)('echo_agent.py does the same in Python', async () => {
  const { order } = await client.proposeOrder({ type: 'example.echo', payload: { messages: ['one', 'two'] } })
  const said = await runUntilSubmitted('echo_agent.py', order.id)
  expect(said).toContain('stopped after 2 items')
})

it('license-agent.ts answers with proof, and corrects what is refused', async () => {
  await install('plain', { license: 'MIT' })
  await install('silent', { description: 'declares nothing' })
  await install('strange', { license: 'SEE LICENSE IN ./somewhere' })
  const { order } = await client.proposeOrder({ type: 'dependency.license-audit', payload: { root: '.' } })
  const said = await runUntilSubmitted('license-agent.ts', order.id)
  expect(said).toContain('refused')
  const { data } = await client.listItems({ order: order.id })
  const { packages } = data[0]!.result as { packages: { name: string; spdx: string }[] }
  expect(packages.map(({ name, spdx }) => [name, spdx])).toEqual([
    ['plain', 'MIT'],
    ['silent', 'NOASSERTION'],
    ['strange', 'NOASSERTION'],
  ])
})
