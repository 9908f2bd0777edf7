/** A service never stands still unseen: a step that does not end is left to itself, and its health says so. */
import { WorkError } from '@work-manager/contract'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { createService, type Round, sweep } from './service.ts'
import { createWorkSignal } from './signals/work-signal.ts'

const tools = { signal: createWorkSignal(), log: pino({ level: 'silent' }) }

/** Runs that begin one after the other; each ends as the test says. */
function stepwise(stepWithinMs: number) {
  const runs: Array<PromiseWithResolvers<{ done: number; more: boolean }> & { round: Round }> = []
  let begun = Promise.withResolvers<void>()
  const service = createService(
    {
      name: 'sweeper',
      everyMs: 1,
      stepWithinMs,
      run(round) {
        const run = { ...Promise.withResolvers<{ done: number; more: boolean }>(), round }
        runs.push(run)
        begun.resolve()
        begun = Promise.withResolvers()
        return run.promise
      },
    },
    tools,
  )
  const nth = async (n: number) => {
    while (runs.length < n) await begun.promise
    return runs[n - 1]!
  }
  return { service, nth }
}

it('a run that never ends is left to itself, told so, and followed by another', async () => {
  const { service, nth } = stepwise(20)
  service.start()
  const lost = await nth(1)
  const second = await nth(2)
  expect(service.health()).toMatchObject({ state: 'stuck' })
  expect(service.health().forMs).toBeGreaterThan(0)
  expect(lost.round.signal.aborted).toBe(true)
  second.resolve({ done: 1, more: false })
  ;(await nth(3)).resolve({ done: 0, more: false })
  await nth(4)
  expect(service.health()).toEqual({ state: 'ok', forMs: 0 })
  const stopped = service.stop()
  ;(await nth(4)).resolve({ done: 0, more: false })
  await stopped
})

it('a long run of short steps is no run that stands still', async () => {
  const { service, nth } = stepwise(200)
  const once = service.runOnce()
  const run = await nth(1)
  for (let n = 0; n < 30; n++) {
    run.round.moved()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  run.resolve({ done: 30, more: false })
  expect(await once).toBe(30)
})

it('errors are failing, not stuck', async () => {
  const { service, nth } = stepwise(60_000)
  service.start()
  ;(await nth(1)).reject(new Error('oops'))
  const second = await nth(2)
  expect(service.health().state).toBe('failing')
  const stopped = service.stop()
  // Whoever sweeps leaves the rest for later.
  expect(second.round.signal.aborted).toBe(true)
  second.resolve({ done: 0, more: false })
  await stopped
})

it('a sweep goes past what cannot be handled, ends with a database that is gone, and breaks off when its service stops', async () => {
  const abort = new AbortController()
  const round: Round = { signal: abort.signal, moved: () => {} }
  const seen: string[] = []
  const handle = async (one: string) => {
    seen.push(one)
    if (one === 'bad') throw new Error('bad')
    if (one === 'gone') throw new WorkError('database_unavailable')
    if (one === 'stop') abort.abort()
    return true
  }
  expect(await sweep(['a', 'bad', 'b'], { ...tools, round }, handle)).toBe(2)
  await expect(sweep(['c', 'gone', 'd', 'gone', 'gone', 'never'], { ...tools, round }, handle)).rejects.toMatchObject({
    code: 'database_unavailable',
  })
  expect(await sweep(['e', 'stop', 'f'], { ...tools, round }, handle)).toBe(2)
  expect(seen).toEqual(['a', 'bad', 'b', 'c', 'gone', 'd', 'gone', 'gone', 'e', 'stop'])
})
