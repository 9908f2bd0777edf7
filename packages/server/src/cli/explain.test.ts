import net from 'node:net'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { WorkError } from '@work-manager/contract'
import { ConfigError } from '../config/index.ts'
import { MissingPackageError } from '../metrics/drivers/otel.ts'
import { TracingStartError } from '../tracing/load-sdk.ts'
import { CliError, exitOfStatus } from './cli-error.ts'
import { explain } from './explain.ts'
import { openWhenReachable } from './open-when-reachable.ts'

describe('explain', () => {
  test('a configuration error ends with 3 and carries every problem', () => {
    const failure = explain(new ConfigError(['one', 'two']))
    expect([failure.exit, failure.members]).toEqual([3, { problems: ['one', 'two'] }])
    expect(failure.message).toContain('- one\n  - two')
  })

  test('a refusal of an operation keeps its code and ends by its status', () => {
    expect(explain(new WorkError('not_found'))).toMatchObject({ code: 'not_found', exit: 5 })
    expect(explain(new WorkError('content_changed', { fix: 'Look again.' }))).toMatchObject({ exit: 6, fix: 'Look again.' })
  })

  test.each([new TracingStartError('npm install a'), new MissingPackageError()])(
    'a package that is missing ends with 3 and what to install, without a stack: %s',
    (error) => {
      const failure = explain(error)
      expect([failure.exit, failure.code]).toEqual([3, 'package_missing'])
      expect(failure.message).toContain('npm install')
      expect(failure.message).not.toContain('explain.test.ts')
    },
  )

  test('an error that nobody foresaw is a bug and keeps its stack', () => {
    const failure = explain(new TypeError('oops'))
    expect([failure.exit, failure.code]).toEqual([1, 'bug'])
    expect(failure.message).toContain('explain.test.ts')
  })

  test('a value that is no error is still explained', () => {
    expect(explain('text').exit).toBe(1)
    expect(explain(undefined).exit).toBe(1)
  })

  test.each([
    ['ENOTFOUND', 'is not known'],
    ['28P01', 'user name or password'],
    ['3D000', 'does not exist'],
    ['53300', 'no connection left'],
    ['57P03', 'starting up'],
    ['ETIMEDOUT', 'does not answer'],
  ])('the database error %s has its own text and ends with 7', (code, text) => {
    const failure = explain(Object.assign(new Error('connect: password s3cret'), { code, hostname: 'db' }))
    expect(failure.exit).toBe(7)
    expect(failure.message).toContain(text)
    expect(failure.message + failure.fix).not.toContain('s3cret')
  })
})

test('statuses become exit codes', () => {
  expect([401, 403, 404, 409, 412, 422, 429, 500, 503, 507].map(exitOfStatus)).toEqual([
    'permission',
    'permission',
    'refused',
    'conflict',
    'conflict',
    'refused',
    'unreachable',
    'bug',
    'unreachable',
    'unfit',
  ])
})

describe('openWhenReachable', () => {
  const connect = (port: number) => async () => {
    const client = new pg.Client({ host: '127.0.0.1', port, database: 'x', user: 'x', password: 'x', connectionTimeoutMillis: 5000 })
    client.on('error', () => {})
    await client.connect()
    return client
  }
  const freePort = async () => {
    const server = net.createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as net.AddressInfo
    await new Promise((resolve) => server.close(resolve))
    return port
  }

  test('says once that it waits, goes on trying, and stops when told', async () => {
    const said: string[] = []
    const interrupt = new AbortController()
    let tries = 0
    const port = await freePort()
    const opening = openWhenReachable(
      () => {
        if (++tries === 2) interrupt.abort()
        return connect(port)()
      },
      (sentence) => said.push(sentence),
      interrupt.signal,
    )
    await expect(opening).rejects.toMatchObject({ name: 'AbortError' })
    expect(tries).toBe(2)
    expect(said).toEqual([`Nothing accepts connections at 127.0.0.1:${port}. Trying again for 30 s.`])
  })

  test('what does not pass by itself is refused at once', async () => {
    const wrong = Object.assign(new Error('no'), { code: '28P01' })
    await expect(
      openWhenReachable(
        () => Promise.reject(wrong),
        () => {},
        new AbortController().signal,
      ),
    ).rejects.toBeInstanceOf(CliError)
  })
})
