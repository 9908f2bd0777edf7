import { appendFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publisherContract, type Rig } from '../../../../testing/publisher-contract.ts'
import { someSettings } from '../../../../testing/publisher-stage.ts'
import type { Message } from '../publisher.ts'
import { filePublisher } from './file.ts'

async function prepare(): Promise<Rig> {
  const directory = await mkdtemp(path.join(tmpdir(), 'work-manager-file-'))
  const file = path.join(directory, 'events.ndjson')
  return {
    driver: 'file',
    settings: { ...someSettings, file: { path: file } },
    received: async () => (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
    kill: async () => {},
    start: async () => {},
    stop: () => rm(directory, { recursive: true }),
  }
}
publisherContract({}, prepare)

describe('the file', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'work-manager-file-'))
  })
  afterAll(() => rm(directory, { recursive: true }))
  const message = (body: string): Message => ({ tenantId: 't', seq: 1, id: body, kind: 'order.stale', type: 't', key: 'k', body })

  it('may be moved away: the next batch begins a new one', async () => {
    const file = path.join(directory, 'rotated.ndjson')
    const publisher = filePublisher({ ...someSettings, file: { path: file } })
    await publisher.open()
    await publisher.publish([message('{"n":1}')])
    await rename(file, `${file}.1`)
    await publisher.publish([message('{"n":2}')])
    await publisher.close()
    expect(await readFile(`${file}.1`, 'utf8')).toBe('{"n":1}\n')
    expect(await readFile(file, 'utf8')).toBe('{"n":2}\n')
  })

  it('that ends in a torn line gets the next message on a line of its own', async () => {
    const file = path.join(directory, 'torn.ndjson')
    await writeFile(file, '{"n":1}\n{"n":')
    const publisher = filePublisher({ ...someSettings, file: { path: file } })
    await publisher.open()
    await publisher.publish([message('{"n":2}')])
    await publisher.close()
    expect((await readFile(file, 'utf8')).split('\n')).toEqual(['{"n":1}', '{"n":', '{"n":2}', ''])
  })

  it('that cannot be written is a clear problem, without a path in it', async () => {
    const file = path.join(directory, 'a-file')
    await appendFile(file, '')
    const nowhere = path.join(directory, 'mistyped', 'events.ndjson')
    await expect(filePublisher({ ...someSettings, file: { path: nowhere } }).open()).rejects.toMatchObject({
      message: 'the directory does not exist: make it, or correct publishers.file_path',
    })
    await expect(filePublisher({ ...someSettings, file: { path: path.join(file, 'events') } }).open()).rejects.toMatchObject({
      code: 'misconfigured',
      message: 'a part of the path is a file',
    })
    await expect(filePublisher({ ...someSettings, file: { path: directory } }).open()).rejects.toMatchObject({
      message: 'the path is a directory',
    })
  })
})
