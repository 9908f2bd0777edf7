/** One reading of connection errors: pools, start, command line and doctor ask the same function. */
import { WorkError } from '@work-manager/contract'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { asWorkError, connectionFault, isConnectionError } from './pg-errors.ts'

const coded = (code: string, more: object = {}) => Object.assign(new Error('some text'), { code, ...more })

describe('a fault of the connection', () => {
  it.each([
    ['unknown_host', coded('ENOTFOUND')],
    ['refused', coded('ECONNREFUSED')],
    ['refused', coded('ENOENT', { syscall: 'connect' })],
    ['not_permitted', coded('EACCES', { syscall: 'connect' })],
    ['not_permitted', coded('EPERM', { syscall: 'connect' })],
    [
      'refused',
      Object.assign(new AggregateError([coded('ECONNREFUSED', { address: '::1' }), coded('ECONNREFUSED')]), { code: 'ECONNREFUSED' }),
    ],
    ['silent', coded('ETIMEDOUT')],
    ['silent', coded('EHOSTUNREACH')],
    ['silent', new Error('timeout expired')],
    ['silent', new Error('Connection terminated due to connection timeout')],
    ['silent', new Error('timeout exceeded when trying to connect')],
    ['broken', new Error('Connection terminated unexpectedly')],
    ['broken', new Error('Client has encountered a connection error and is not queryable')],
    ['broken', coded('ECONNRESET')],
    ['broken', coded('57P01')],
    ['broken', coded('08006')],
    ['starting', coded('57P03')],
    ['full', coded('53300')],
    ['credentials', coded('28P01')],
    ['no_database', coded('3D000')],
    ['insecure', coded('DEPTH_ZERO_SELF_SIGNED_CERT')],
    ['insecure', coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE')],
    ['insecure', coded('ERR_TLS_CERT_ALTNAME_INVALID')],
    ['insecure', new Error('The server does not support SSL connections')],
    ['pooler', coded('08P01')],
  ] as const)('%s: %s', (fault, error) => {
    expect(connectionFault(error)).toBe(fault)
    expect(asWorkError(error, 'before_commit')).toMatchObject({ code: 'database_unavailable', cause: error })
  })
})

describe('no fault of the connection', () => {
  it.each([
    ['a file that is not there', coded('ENOENT', { syscall: 'open' })],
    ['a file that may not be read', coded('EACCES', { syscall: 'open' })],
    ['a violated constraint', coded('23505')],
    ['an error of ours that quotes one', new RangeError('Connection terminated unexpectedly')],
    ['a refusal', new WorkError('not_found')],
    ['a mistake', new TypeError('x is not a function')],
    ['no error', 'ECONNREFUSED'],
  ])('%s', (_, error) => {
    expect(isConnectionError(error)).toBe(false)
    expect(asWorkError(error, 'before_commit')).toBe(error)
  })
})

it('what the driver says of its own accord is still said so', async () => {
  const client = new pg.Client({ host: '127.0.0.1', port: 9, database: 'x', user: 'x', password: 'x' })
  const refused = await client.connect().then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(connectionFault(refused)).toBe('refused')
})
