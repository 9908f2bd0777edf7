import { expect, it } from 'vitest'
import { createBatcher } from './batcher.ts'

/** A batcher whose statements stay open until the test answers them. */
function openBatcher(options: { maxBatch?: number; inFlightPerLane?: number } = {}) {
  interface Statement {
    readonly requests: readonly string[]
    answer(answers?: readonly string[]): void
    fail(error: Error): void
  }
  const statements: Statement[] = []
  const arrivals: Array<() => void> = []
  const ask = createBatcher<string, string>({
    // 'lane/conflict/rest'
    lane: (request) => request.split('/')[0]!,
    conflict: (request) => request.split('/')[1]!,
    isCommon: (error) => error instanceof Error && error.message === 'connection lost',
    maxBatch: options.maxBatch ?? 10,
    inFlightPerLane: options.inFlightPerLane ?? 1,
    run: (requests) =>
      new Promise((resolve, reject) => {
        statements.push({ requests, answer: (answers) => resolve(answers ?? requests.map((one) => `answer to ${one}`)), fail: reject })
        arrivals.shift()?.()
      }),
  })
  return {
    ask,
    statements,
    /** The n-th statement, once it was sent. */
    async statement(n: number): Promise<Statement> {
      while (statements.length <= n) await new Promise<void>((resolve) => arrivals.push(resolve))
      return statements[n]!
    },
  }
}

it('a lone request goes out alone; those that come meanwhile share the next statement', async () => {
  const { ask, statement } = openBatcher()
  const first = ask('t/1')
  expect((await statement(0)).requests).toEqual(['t/1'])
  const others = ['t/2', 't/3', 't/4'].map((request) => ask(request))
  ;(await statement(0)).answer()
  expect((await statement(1)).requests).toEqual(['t/2', 't/3', 't/4'])
  ;(await statement(1)).answer()
  expect(await first).toBe('answer to t/1')
  expect(await Promise.all(others)).toEqual(['answer to t/2', 'answer to t/3', 'answer to t/4'])
})

it('a burst in one turn of the event loop is one statement, and each gets its own answer', async () => {
  const { ask, statement } = openBatcher({ maxBatch: 100 })
  const requests = Array.from({ length: 100 }, (_, n) => `t/${n}`)
  const answers = Promise.all(requests.map((request) => ask(request)))
  const { requests: sent, answer } = await statement(0)
  expect(sent).toEqual(requests)
  answer(sent.map((request) => `for ${request}`))
  expect(await answers).toEqual(requests.map((request) => `for ${request}`))
})

it('never more than maxBatch in a statement, and nobody is left behind', async () => {
  const { ask, statement } = openBatcher({ maxBatch: 3 })
  const answers = Promise.all(Array.from({ length: 7 }, (_, n) => ask(`t/${n}`)))
  const sizes: number[] = []
  for (let n = 0; n < 3; n++) {
    const sent = await statement(n)
    sizes.push(sent.requests.length)
    sent.answer()
  }
  expect(sizes).toEqual([3, 3, 1])
  expect(await answers).toHaveLength(7)
})

it('two requests of one item never share a statement and keep their order', async () => {
  const { ask, statement } = openBatcher()
  const answers = Promise.all(['t/a/1', 't/a/2', 't/b/1', 't/a/3'].map((request) => ask(request)))
  expect((await statement(0)).requests).toEqual(['t/a/1', 't/b/1'])
  ;(await statement(0)).answer()
  expect((await statement(1)).requests).toEqual(['t/a/2'])
  ;(await statement(1)).answer()
  expect((await statement(2)).requests).toEqual(['t/a/3'])
  ;(await statement(2)).answer()
  expect(await answers).toEqual(['t/a/1', 't/a/2', 't/b/1', 't/a/3'].map((request) => `answer to ${request}`))
})

it('lanes do not mix and do not wait for each other', async () => {
  const { ask, statement } = openBatcher()
  const acme = ask('acme/1')
  const globex = ask('globex/1')
  expect((await statement(0)).requests).toEqual(['acme/1'])
  expect((await statement(1)).requests).toEqual(['globex/1'])
  ;(await statement(1)).answer()
  expect(await globex).toBe('answer to globex/1')
  ;(await statement(0)).answer()
  expect(await acme).toBe('answer to acme/1')
})

it('as many statements of a lane in flight as allowed, not one more', async () => {
  const { ask, statement, statements } = openBatcher({ inFlightPerLane: 2, maxBatch: 1 })
  const answers = Promise.all(['t/1', 't/2', 't/3'].map((request) => ask(request)))
  await statement(1)
  await new Promise((resolve) => setImmediate(resolve))
  expect(statements).toHaveLength(2)
  statements[0]!.answer()
  expect((await statement(2)).requests).toEqual(['t/3'])
  statements[1]!.answer()
  statements[2]!.answer()
  await answers
})

it('a statement that fails is repeated one by one, so a bad request never hurts its neighbours', async () => {
  const { ask, statement } = openBatcher()
  const answers = Promise.allSettled(['t/1', 't/bad', 't/3'].map((request) => ask(request)))
  ;(await statement(0)).fail(new Error('value out of range'))
  for (let n = 1; n <= 3; n++) {
    const alone = await statement(n)
    expect(alone.requests).toHaveLength(1)
    if (alone.requests[0] === 't/bad') alone.fail(new Error('value out of range'))
    else alone.answer()
  }
  expect(await answers).toEqual([
    { status: 'fulfilled', value: 'answer to t/1' },
    { status: 'rejected', reason: new Error('value out of range') },
    { status: 'fulfilled', value: 'answer to t/3' },
  ])
})

it('a broken connection is told to all at once, and nothing is run a second time', async () => {
  const { ask, statement, statements } = openBatcher()
  const answers = Promise.allSettled(['t/1', 't/2'].map((request) => ask(request)))
  ;(await statement(0)).fail(new Error('connection lost'))
  expect((await answers).map((one) => one.status)).toEqual(['rejected', 'rejected'])
  expect(statements).toHaveLength(1)
})

it('after a failure the lane works on', async () => {
  const { ask, statement } = openBatcher()
  const first = ask('t/1')
  ;(await statement(0)).fail(new Error('connection lost'))
  await expect(first).rejects.toThrow('connection lost')
  const second = ask('t/2')
  ;(await statement(1)).answer()
  expect(await second).toBe('answer to t/2')
})

it('keeps to its limit also when a lane empties and fills again within one turn', async () => {
  const { ask, statement, statements } = openBatcher()
  const [first] = [ask('t/1'), await statement(0)]
  const second = ask('t/2')
  statements[0]!.answer()
  void statement(1).then((next) => next.answer())
  await Promise.all([first, second])
  const third = ask('t/3')
  await statement(2)
  const fourth = ask('t/4')
  await new Promise((resolve) => setImmediate(resolve))
  expect(statements).toHaveLength(3)
  statements[2]!.answer()
  await third
  ;(await statement(3)).answer()
  await fourth
})
