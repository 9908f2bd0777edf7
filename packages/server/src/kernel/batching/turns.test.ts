import { expect, it } from 'vitest'
import { createBatcher } from './batcher.ts'
import { createTurns, type Waiter } from './turns.ts'

const nextTurnOfLoop = () => new Promise((resolve) => setImmediate(resolve))

/** Waiters whose turns end when the test says so; `log` has the names in the order of their turns. */
function table(most: number) {
  const turns = createTurns(most)
  const log: string[] = []
  const ends = new Map<string, () => void>()
  const waiter = (name: string, size = 1): Waiter => ({
    size: () => size,
    go: () => {
      log.push(name)
      return new Promise<void>((resolve) => ends.set(name, resolve))
    },
  })
  return {
    log,
    ask: (name: string, size?: number, group = 'acme') => turns.ask(group, waiter(name, size)),
    async end(name: string) {
      ends.get(name)!()
      await nextTurnOfLoop()
      await nextTurnOfLoop()
    },
  }
}

it('no more than allowed at a time, and the longest queue goes next', async () => {
  const { ask, end, log } = table(1)
  ask('first')
  ask('short', 2)
  ask('long', 9)
  expect(log).toEqual(['first'])
  await end('first')
  expect(log).toEqual(['first', 'long'])
  await end('long')
  expect(log).toEqual(['first', 'long', 'short'])
})

it('groups do not wait for each other', () => {
  const { ask, log } = table(1)
  ask('of acme')
  ask('of globex', 1, 'globex')
  expect(log).toEqual(['of acme', 'of globex'])
})

it('a short queue is not passed over for ever', async () => {
  const { ask, end, log } = table(1)
  ask('0')
  ask('short', 1)
  for (let n = 1; n <= 5; n++) {
    ask(String(n), 40)
    await end(log.at(-1)!)
  }
  expect(log).toContain('short')
})

it('a turn that lasts is given on, and ends only once', async () => {
  const { ask, end, log } = table(1)
  ask('stuck')
  ask('next')
  while (!log.includes('next')) await nextTurnOfLoop()
  await end('stuck')
  ask('third')
  expect(log).toEqual(['stuck', 'next'])
  await end('next')
  expect(log).toEqual(['stuck', 'next', 'third'])
})

it('kinds of requests that share turns collect while another kind is in flight, and go as one statement each', async () => {
  const turns = { of: createTurns(1), group: () => 'acme' }
  const sent: string[] = []
  const open: Array<() => void> = []
  const kind = (name: string) =>
    createBatcher<number, number>({
      lane: () => '',
      isCommon: () => false,
      maxBatch: 100,
      inFlightPerLane: 2,
      turns,
      run: async (requests) => {
        sent.push(`${name} ${requests.join(',')}`)
        await new Promise<void>((resolve) => open.push(resolve))
        return requests
      },
    })
  const heartbeat = kind('heartbeat')
  const submit = kind('submit')
  const answers = [heartbeat(1)]
  await nextTurnOfLoop()
  answers.push(submit(1), heartbeat(2), submit(2), submit(3))
  await nextTurnOfLoop()
  expect(sent).toEqual(['heartbeat 1'])
  for (let n = 0; n < 3; n++) {
    open.shift()!()
    await nextTurnOfLoop()
    await nextTurnOfLoop()
  }
  expect(sent).toEqual(['heartbeat 1', 'submit 1,2,3', 'heartbeat 2'])
  expect(await Promise.all(answers)).toEqual([1, 1, 2, 2, 3])
})
