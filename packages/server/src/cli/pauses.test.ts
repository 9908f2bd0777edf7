/** `pause`, `resume` and `pauses` at a real server, and past it: everything is paused on the database itself. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Ended, runCli } from '../../testing/run-cli.ts'
import { startStory, type Story } from '../../testing/story.ts'
import type { Caller } from '../../testing/test-server.ts'

let story: Story
let cwd: string
beforeAll(async () => {
  story = await startStory()
  cwd = await mkdtemp(path.join(tmpdir(), 'wm-pauses-'))
})
afterAll(async () => {
  await story.server.stop()
  await rm(cwd, { recursive: true, force: true })
})

const run = (who: Caller, args: string[], more: Record<string, string> = {}): Promise<Ended> =>
  runCli(args, { cwd, env: { WORK_MANAGER_URL: story.server.url, WORK_MANAGER_KEY: who.key, ...more } })
const json = async (who: Caller, args: string[], more?: Record<string, string>): Promise<any> => {
  const { code, stdout, stderr } = await run(who, args, more)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}
const checkout = async () => (await story.agent.post('/checkout', {}, { key: null })).body

it('pauses an agent, lists it with its reason, and resumes it', async () => {
  const order = await story.propose({ messages: ['a', 'b', 'c'] })
  await story.take(order.id)
  const paused = await json(story.reviewer, ['pause', '--agent', 'agent-1', '--reason', 'it loops'])
  expect(paused).toMatchObject({ pause: { scope: 'agent', subject: 'agent-1' }, leases_ended: 1, effects_running: 0 })
  expect((await checkout()).code).toBe('paused')
  expect((await json(story.reviewer, ['pauses'])).pauses).toMatchObject([
    { subject: 'agent-1', reason: 'it loops', principal: 'person:rita' },
  ])
  const refused = await run(story.agent, ['items', 'checkout'])
  expect([refused.code, refused.stderr]).toEqual([6, expect.stringContaining('it loops')])
  expect((await json(story.reviewer, ['resume', '--agent', 'agent-1', '--reason', 'corrected'])).lifted.subject).toBe('agent-1')
  expect((await checkout()).item.order_id).toBe(order.id)
})

it('asks for exactly one target and a reason, and for a person', async () => {
  for (const args of [
    ['--reason', 'x'],
    ['--all', '--agent', 'a', '--reason', 'x'],
  ])
    expect((await run(story.reviewer, ['pause', ...args])).stderr).toContain('--everything')
  expect((await run(story.reviewer, ['pause', '--all'])).stderr).toContain('--reason')
  expect((await run(story.agent, ['pause', '--all', '--reason', 'x'])).code).toBe(4)
  const typo = await run(story.reviewer, ['pause', '--type', 'test.ecko', '--reason', 'x'])
  expect(typo.stderr).toContain('test.echo')
})

it('--everything works on the database, whatever server and key are named', async () => {
  const database = { DATABASE_URL: story.server.database.runtimeUrl, WORK_MANAGER_URL: 'http://127.0.0.1:1', WORK_MANAGER_KEY: 'none' }
  const done = await json(story.agent, ['pause', '--everything', '--reason', 'the model went wrong'], database)
  expect(done).toMatchObject({ pause: { scope: 'everything' }, leases_ended: 1 })
  expect(await checkout()).toMatchObject({ code: 'paused', paused: { scope: 'everything', reason: 'the model went wrong' } })
  const again = await json(story.agent, ['resume', '--everything', '--reason', 'rolled back'], database)
  expect(again).toEqual({ lifted: true })
  expect((await checkout()).item).toBeDefined()
})
