import { describe, expect, it } from 'vitest'
import { createWindows } from './windows.ts'

interface Statement {
  readonly requests: readonly string[]
  answer(answers?: ReadonlyArray<string | undefined>): void
  fail(error: Error): void
}

/** Requests read 'group/key/rest'; a key of '-' conflicts with nothing. */
function openWindows(maxSize = 100) {
  const statements: Statement[] = []
  const apart: string[] = []
  const arrivals: Array<() => void> = []
  const ask = createWindows<string, string>({
    group: (request) => request.split('/')[0]!,
    conflict: (request) => (request.split('/')[1] === '-' ? null : request),
    isCommon: (error) => error instanceof Error && error.message === 'connection lost',
    maxSize,
    run: (requests) =>
      new Promise((resolve, reject) => {
        statements.push({ requests, answer: (answers) => resolve(answers ?? requests.map((one) => `answer to ${one}`)), fail: reject })
        arrivals.shift()?.()
      }),
    apart(request) {
      apart.push(request)
      return Promise.resolve(`apart ${request}`)
    },
  })
  return {
    ask,
    apart,
    statements,
    /** The n-th statement, once it was sent. */
    async statement(n: number): Promise<Statement> {
      while (statements.length <= n) await new Promise<void>((resolve) => arrivals.push(resolve))
      return statements[n]!
    },
  }
}

describe('collecting', () => {
  it('a lone request goes out alone; those of every group that come meanwhile share the next window', async () => {
    const { ask, statement } = openWindows()
    const first = ask('a/1')
    const sent = await statement(0)
    expect(sent.requests).toEqual(['a/1'])
    const others = ['a/2', 'b/1', 'c/1'].map(ask)
    sent.answer()
    const second = await statement(1)
    expect(second.requests).toEqual(['a/2', 'b/1', 'c/1'])
    second.answer()
    expect(await Promise.all([first, ...others])).toEqual(['a/1', 'a/2', 'b/1', 'c/1'].map((one) => `answer to ${one}`))
  })

  it('requests of one key never share a window and keep their order', async () => {
    const { ask, statement } = openWindows()
    const answers = Promise.all(['a/x', 'a/x', 'a/y'].map(ask))
    const first = await statement(0)
    expect(first.requests).toEqual(['a/x', 'a/y'])
    first.answer(['first', 'y'])
    const second = await statement(1)
    expect(second.requests).toEqual(['a/x'])
    second.answer(['second'])
    expect(await answers).toEqual(['first', 'second', 'y'])
  })

  it('a group that floods gets what the others leave, and nobody waits for a second window while there is room', async () => {
    const { ask, statement } = openWindows(16)
    const answers = Promise.all([...Array.from({ length: 40 }, (_, n) => `loud/${n}`), 'quiet/1', 'quiet/2'].map(ask))
    const first = await statement(0)
    expect(first.requests).toHaveLength(16)
    expect(first.requests).toEqual(expect.arrayContaining(['quiet/1', 'quiet/2']))
    first.answer()
    for (let n = 1; n <= 2; n++) (await statement(n)).answer()
    expect(await answers).toHaveLength(42)
  })
})

describe('a second statement', () => {
  /** The first one is out for longer than a second one is worth. */
  const slowFirst = async ({ ask, statement }: ReturnType<typeof openWindows>, request: string) => {
    const first = ask(request)
    const sent = await statement(0)
    const begin = performance.now()
    while (performance.now() - begin < 5) await new Promise((resolve) => setImmediate(resolve))
    return { first, sent }
  }

  it('goes out beside a slow one with what other groups want, and leaves alone who is in the first', async () => {
    const windows = openWindows()
    const { first, sent } = await slowFirst(windows, 'a/1')
    const others = ['a/2', 'b/1', 'a/3', 'c/1'].map(windows.ask)
    const second = await windows.statement(1)
    expect(second.requests).toEqual(['b/1', 'c/1'])
    second.answer()
    sent.answer()
    const third = await windows.statement(2)
    expect(third.requests).toEqual(['a/2', 'a/3'])
    third.answer()
    expect(await Promise.all([first, ...others])).toHaveLength(5)
  })

  it('is no second one of the same group', async () => {
    const windows = openWindows()
    const { first, sent } = await slowFirst(windows, 'a/1')
    const other = windows.ask('a/2')
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(windows.statements).toHaveLength(1)
    sent.answer()
    ;(await windows.statement(1)).answer()
    expect(await Promise.all([first, other])).toEqual(['answer to a/1', 'answer to a/2'])
  })
})

describe('what is not clean', () => {
  it('is asked apart, alone', async () => {
    const { ask, statement, apart } = openWindows()
    const answers = Promise.all(['a/1', 'a/2'].map(ask))
    ;(await statement(0)).answer(['clean', undefined])
    expect(await answers).toEqual(['clean', 'apart a/2'])
    expect(apart).toEqual(['a/2'])
  })

  it('a window that fails is tried group by group; the group that fails again goes its own way for a while, its neighbours do not', async () => {
    const { ask, statement, apart } = openWindows()
    const answers = Promise.all(['good/1', 'bad/1', 'fine/1'].map(ask))
    ;(await statement(0)).fail(new Error('value out of range'))
    const good = await statement(1)
    expect(good.requests).toEqual(['good/1'])
    good.answer()
    ;(await statement(2)).fail(new Error('value out of range'))
    ;(await statement(3)).answer()
    expect(await answers).toEqual(['answer to good/1', 'apart bad/1', 'answer to fine/1'])
    expect(await ask('bad/2')).toBe('apart bad/2')
    expect(apart).toEqual(['bad/1', 'bad/2'])
    const after = ask('good/2')
    ;(await statement(4)).answer()
    expect(await after).toBe('answer to good/2')
  })

  it('a broken connection is told to all at once, and nothing is run a second time', async () => {
    const { ask, statement, statements, apart } = openWindows()
    const answers = Promise.allSettled(['a/1', 'b/1'].map(ask))
    ;(await statement(0)).fail(new Error('connection lost'))
    expect((await answers).map((one) => one.status)).toEqual(['rejected', 'rejected'])
    expect(statements).toHaveLength(1)
    expect(apart).toEqual([])
    const next = ask('a/2')
    ;(await statement(1)).answer()
    expect(await next).toBe('answer to a/2')
  })
})
